import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chmod, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openPkcs11KeyStore, rewrap, type Pkcs11KeyStore } from '../src/index.ts';
import { expectCode } from './conformance.ts';
import {
  addSoftHsmToken,
  hasNss,
  hasPkcs11Tool,
  hasSoftHsm,
  makeNssToken,
  makeSoftHsmToken,
  pin,
  type TestToken,
} from './support/tokens.ts';

vi.setConfig({ testTimeout: 120_000 });

const run = promisify(execFile);
const context = utf8Encode('model-a|seal-1');
const secret = utf8Encode('0123456789abcdef0123456789abcdef');
const kek = { id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' } as const;

let token: TestToken;
const open = (change?: Parameters<TestToken['uri']>[0]) => openPkcs11KeyStore({ uri: token.uri(change) });

/** Ends the child by force and waits until it is gone. */
async function crash(store: Pkcs11KeyStore): Promise<void> {
  const { childId } = store;
  if (childId === undefined) throw new Error('there is no child');
  process.kill(childId, 'SIGKILL');
  await vi.waitUntil(() => store.childId !== childId, { timeout: 60_000 });
}

const tool = (...options: string[]) =>
  run(
    'pkcs11-tool',
    ['--module', token.module, '--login', '--pin', pin, '--token-label', 'fastness-test', ...options],
    {
      env: { ...process.env, ...token.environment },
    },
  );
const idOf = (text: string) => Buffer.from(text).toString('hex');

describe.skipIf(!hasSoftHsm)('a PKCS #11 store on SoftHSM2 (skipped without Debian softhsm2)', () => {
  beforeEach(async () => {
    token = await makeSoftHsmToken();
  });
  afterEach(() => token[Symbol.asyncDispose]());

  it('works on after its process was killed, and keys are what they were', async () => {
    await using store = await open();
    await store.create(kek);
    const wrapped = await store.wrap('kek', secret, context);
    for (let round = 0; round < 3; round += 1) {
      await crash(store);
      expect(await store.unwrap(wrapped, context)).toEqual(secret);
    }
  });

  it('repeats what may be repeated when the process dies under it, and says so of the rest', async () => {
    await using store = await open();
    await store.create(kek);
    const wrapped = await store.wrap('kek', secret, context);
    const unwraps = Array.from({ length: 50 }, () => store.unwrap(wrapped, context));
    const change = store.create({ ...kek, id: 'other' });
    const { childId = 0 } = store;
    process.kill(childId, 'SIGSTOP');
    await delay(50);
    process.kill(childId, 'SIGKILL');
    const outcome = await change.then(
      () => 'made',
      (error: unknown) => (error as { code: string }).code,
    );
    expect(['made', 'KEYS_HSM_CRASHED']).toContain(outcome);
    for (const opened of await Promise.all(unwraps)) expect(opened).toEqual(secret);
  });

  it('fails a change that the process owes when it dies', async () => {
    await using store = await open();
    const { childId = 0 } = store;
    process.kill(childId, 'SIGSTOP');
    const change = store.create(kek);
    const refused = expectCode(change, 'KEYS_HSM_CRASHED');
    await delay(50);
    process.kill(childId, 'SIGKILL');
    await refused;
    expect(await store.list()).toEqual([]);
  });

  it('ends a process that hangs, and says so', async () => {
    await using store = await openPkcs11KeyStore({ uri: token.uri(), silence: 3000 });
    await store.create(kek);
    process.kill(store.childId ?? 0, 'SIGSTOP');
    await expectCode(store.wrap('kek', secret, context), 'KEYS_HSM_TIMEOUT');
    expect(await store.list()).toHaveLength(1);
  });

  it('tries a wrong PIN once, however often it is asked', async () => {
    await using store = await open();
    await store.create(kek);
    await writeFile(token.pinFile, 'not-the-pin\n');
    await crash(store);
    for (let round = 0; round < 5; round += 1) await expectCode(store.list(), 'KEYS_HSM_PIN', 'not-the-pin');
    await vi.waitUntil(() => store.childId === undefined, { timeout: 60_000 });
    await expectCode(store.list(), 'KEYS_HSM_PIN');
    expect(store.childId).toBeUndefined();
    // Five rounds with the wrong PIN would be in the token's counter; the right one still logs in.
    await writeFile(token.pinFile, pin);
    await using again = await open();
    expect(await again.list()).toHaveLength(1);
  });

  it('refuses a wrong PIN at once, without repeating it', async () => {
    await writeFile(token.pinFile, 'not-the-pin\n');
    await expectCode(open(), 'KEYS_HSM_PIN', 'not-the-pin');
  });

  it('says when the PIN was taken away, and goes on when it is back', async () => {
    await using store = await open();
    await store.create(kek);
    await rm(token.pinFile);
    expect(await store.list()).toHaveLength(1);
    await crash(store);
    // However often that is: the PIN was not tried.
    for (let round = 0; round < 6; round += 1) await expectCode(store.list(), 'KEYS_HSM_PIN_SOURCE');
    await writeFile(token.pinFile, pin, { mode: 0o600 });
    expect(await store.list()).toHaveLength(1);
  });

  it('reads the PIN from a descriptor', async () => {
    const descriptor = openSync(token.pinFile, 'r');
    try {
      await using store = await open({ pinSource: `fd:${descriptor}` });
      expect(await store.list()).toEqual([]);
      await crash(store);
      expect(await store.list()).toEqual([]);
    } finally {
      closeSync(descriptor);
    }
  });

  it.each([
    ['others may read', async (path: string) => chmod(path, 0o644)],
    ['is empty', async (path: string) => writeFile(path, '\n')],
    ['is too long', async (path: string) => writeFile(path, 'x'.repeat(300))],
    [
      'is a symbolic link',
      async (path: string) => {
        await writeFile(`${path}.real`, pin, { mode: 0o600 });
        await rm(path);
        await symlink(`${path}.real`, path);
      },
    ],
  ])('refuses a PIN file that %s', async (_what, spoil) => {
    await spoil(token.pinFile);
    await expectCode(open(), 'KEYS_HSM_PIN_SOURCE', pin);
  });

  it('refuses no PIN, a module that is none, and a token that is not there', async () => {
    await expectCode(open({ pinSource: null }), 'KEYS_HSM_PIN_SOURCE');
    await expectCode(open({ token: 'elsewhere' }), 'KEYS_HSM_TOKEN');
    const broken = join(token.folder, 'module.so');
    await writeFile(broken, 'not a library');
    await expectCode(openPkcs11KeyStore({ uri: `pkcs11:token=a?module-path=${broken}` }), 'KEYS_HSM_MODULE');
    await expectCode(
      openPkcs11KeyStore({ uri: 'pkcs11:token=a?module-path=/lib/x86_64-linux-gnu/libc.so.6' }),
      'KEYS_HSM_MODULE',
    );
  });

  it('refuses a label that two tokens have', async () => {
    await addSoftHsmToken(token.environment['SOFTHSM2_CONF'] ?? '', 'fastness-test');
    await expectCode(open(), 'KEYS_HSM_TOKEN');
  });

  it('rotates, unwraps under old versions, and retires them', async () => {
    await using store = await open();
    await store.create(kek);
    const first = await store.wrap('kek', secret, context);
    expect(await store.rotate('kek')).toMatchObject({ version: 2, versions: [1, 2] });
    const second = await rewrap(store, first, context);
    expect(second.keyVersion).toBe(2);
    expect(await store.unwrap(first, context)).toEqual(secret);
    await expectCode(store.unwrap({ ...first, keyVersion: 2 }, context), 'KEYS_UNWRAP');
    await expectCode(store.retire('kek', 3), 'KEYS_VERSION_UNKNOWN');
    await expectCode(store.retire('kek', 1.5), 'KEYS_VERSION_UNKNOWN');
    expect(await store.retire('kek', 2)).toMatchObject({ version: 2, versions: [2] });
    await expectCode(store.unwrap(first, context), 'KEYS_VERSION_UNKNOWN');
    expect(await store.unwrap(second, context)).toEqual(secret);
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-256' });
    await expectCode(store.rotate('signer'), 'KEYS_PURPOSE');
    await expectCode(store.retire('signer', 1), 'KEYS_PURPOSE');
  });

  it('disables, enables and destroys', async () => {
    await using store = await open();
    await store.create(kek);
    await store.create({ id: 'signer', purpose: 'sign', algorithm: 'P-384' });
    const wrapped = await store.wrap('kek', secret, context);
    await store.sign('signer', secret);
    await expectCode(store.destroy('kek'), 'KEYS_NOT_DISABLED');
    expect((await store.disable('kek')).disabledAt).toMatch(/^2\d{3}-/);
    await store.disable('signer');
    await expectCode(store.unwrap(wrapped, context), 'KEYS_DISABLED');
    await expectCode(store.wrap('kek', secret, context), 'KEYS_DISABLED');
    await expectCode(store.rotate('kek'), 'KEYS_DISABLED');
    await expectCode(store.sign('signer', secret), 'KEYS_DISABLED');
    expect(await store.enable('kek')).not.toHaveProperty('disabledAt');
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    await store.destroy('signer');
    await store.disable('kek');
    await store.destroy('kek');
    expect(await store.list()).toEqual([]);
    await expectCode(store.unwrap(wrapped, context), 'KEYS_ID_UNKNOWN');
  });

  it('is used by two processes at once, each seeing what the other did', async () => {
    await using one = await open();
    await using other = await open();
    await one.create(kek);
    const wrapped = await one.wrap('kek', secret, context);
    expect(await other.unwrap(wrapped, context)).toEqual(secret);
    await other.rotate('kek');
    await vi.waitUntil(async () => (await one.wrap('kek', secret, context)).keyVersion === 2, { timeout: 60_000 });
    await other.disable('kek');
    await vi.waitUntil(
      async () =>
        one.unwrap(wrapped, context).then(
          () => false,
          (error: unknown) => (error as { code: string }).code === 'KEYS_DISABLED',
        ),
      { timeout: 60_000, interval: 100 },
    );
  });

  it('makes a version once, whoever else makes it at the same time', async () => {
    await using one = await open();
    await using other = await open();
    await one.create(kek);
    let made = 1;
    for (let round = 0; round < 5; round += 1) {
      const outcomes = await Promise.allSettled([one.rotate('kek'), other.rotate('kek')]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'KEYS_HSM_CONFLICT' });
      }
      made += outcomes.filter(({ status }) => status === 'fulfilled').length;
    }
    // Asked of a process that has seen nothing yet: SoftHSM may show one that ran meanwhile an older state of an object.
    await using fresh = await open();
    expect((await fresh.list())[0]?.versions).toEqual(Array.from({ length: made }, (_, index) => index + 1));
  });

  it.skipIf(!hasPkcs11Tool)('refuses a key that could leave the token', async () => {
    await tool(
      '--keygen',
      '--key-type',
      'AES:32',
      '--extractable',
      '--label',
      'fastness kek v1 2026-01-01T00:00:00Z active',
      '--id',
      idOf('fastness:1:wrap:kek:1'),
    );
    await using store = await open();
    await expectCode(store.wrap('kek', secret, context), 'KEYS_HSM_EXTRACTABLE');
  });

  it.skipIf(!hasPkcs11Tool)('refuses a key that unwraps besides decrypting', async () => {
    const label = 'fastness kek v1 2026-01-01T00:00:00Z active';
    await tool(
      '--keygen',
      '--key-type',
      'AES:32',
      '--sensitive',
      '--usage-decrypt',
      '--usage-wrap',
      '--label',
      label,
      '--id',
      idOf('fastness:1:wrap:kek:1'),
    );
    await using store = await open();
    await expectCode(store.wrap('kek', secret, context), 'KEYS_HSM_USAGE');
  });

  it.skipIf(!hasPkcs11Tool)(
    'refuses two objects of one version, a label of something else, and passes over strangers',
    async () => {
      await using store = await open();
      await store.create(kek);
      await tool('--keygen', '--key-type', 'AES:32', '--label', 'somebody else', '--id', '01');
      expect(await store.list()).toHaveLength(1);
      await tool(
        '--keygen',
        '--key-type',
        'AES:32',
        '--label',
        'fastness kek v1 2026-01-01T00:00:00Z active',
        '--id',
        idOf('fastness:1:wrap:kek:1'),
      );
      await delay(1100);
      await expectCode(store.wrap('kek', secret, context), 'KEYS_HSM_AMBIGUOUS');
      await expectCode(store.list(), 'KEYS_HSM_AMBIGUOUS');
      await tool(
        '--keygen',
        '--key-type',
        'AES:32',
        '--label',
        'fastness kek v9',
        '--id',
        idOf('fastness:1:wrap:odd:1'),
      );
      await expectCode(store.list(), 'KEYS_HSM_AMBIGUOUS');
    },
  );

  it('does not fall back to what it was told not to use', async () => {
    await using store = await openPkcs11KeyStore({ uri: token.uri(), wrapping: 'rsa-oaep' });
    await expectCode(store.create(kek), 'KEYS_HSM_UNSUPPORTED');
    expect(await store.list()).toEqual([]);
  });

  it('leaves nothing behind when it probes', async () => {
    await using store = await open();
    const probe = await store.probe();
    expect(probe.find(({ capability }) => capability === 'wrap with AES-256-GCM')?.works).toBe(true);
    // SoftHSM lists the mechanism, and refuses to do it.
    expect(probe.find(({ capability }) => capability === 'wrap with RSA-3072 OAEP-SHA256')?.works).toBe(false);
    expect(await store.list()).toEqual([]);
  });

  it('ends its process when it is closed, and when its parent is killed', async () => {
    const store = await open();
    const { childId = 0 } = store;
    await store[Symbol.asyncDispose]();
    expect(() => process.kill(childId, 0)).toThrow();

    const script = `import { openPkcs11KeyStore } from '@fastness/keys';
      const store = await openPkcs11KeyStore({ uri: process.env.TOKEN_URI });
      console.log(store.childId); setInterval(() => {}, 1000);`;
    const file = join(import.meta.dirname, `.parent-${process.pid}.mjs`);
    await writeFile(file, script);
    try {
      const parent = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--conditions=source', file], {
        env: { ...process.env, TOKEN_URI: token.uri() },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const orphan = Number(
        await new Promise((resolve) => parent.stdout.once('data', (chunk) => resolve(String(chunk)))),
      );
      // The PIN is neither in the arguments nor in the environment of either process.
      expect(await readFile(`/proc/${orphan}/cmdline`, 'latin1')).not.toContain(pin);
      parent.kill('SIGKILL');
      await vi.waitUntil(
        async () =>
          readFile(`/proc/${orphan}/stat`, 'latin1').then(
            (text) => text.includes(' Z '),
            () => true,
          ),
        { timeout: 60_000 },
      );
    } finally {
      await rm(file);
    }
  });
});

describe.skipIf(!hasNss)('a PKCS #11 store on NSS softoken (skipped without Debian libnss3 and libnss3-tools)', () => {
  beforeEach(async () => {
    token = await makeNssToken();
  });
  afterEach(() => token[Symbol.asyncDispose]());

  it('rotates, survives a crash, disables and destroys', async () => {
    await using store = await open();
    await store.create(kek);
    const wrapped = await store.wrap('kek', secret, context);
    await store.rotate('kek');
    await crash(store);
    expect(await store.unwrap(wrapped, context)).toEqual(secret);
    expect(await store.retire('kek', 2)).toMatchObject({ versions: [2] });
    await store.disable('kek');
    await expectCode(store.wrap('kek', secret, context), 'KEYS_DISABLED');
    await store.destroy('kek');
    expect(await store.list()).toEqual([]);
  });

  it('keeps keys of either way of wrapping side by side', async () => {
    await using rsa = await openPkcs11KeyStore({ uri: token.uri(), wrapping: 'rsa-oaep' });
    await rsa.create(kek);
    const first = await rsa.wrap('kek', secret, context);
    await using store = await open();
    await store.rotate('kek');
    const second = await rewrap(store, first, context);
    expect([first.algorithm, second.algorithm]).toEqual(['PKCS11-RSA3072-OAEP-SHA256+A256GCM', 'PKCS11-A256GCM']);
    expect(await store.unwrap(second, context)).toEqual(secret);
    await expectCode(store.unwrap({ ...first, algorithm: second.algorithm }, context), 'KEYS_WRAPPED_ALGORITHM');
  });

  it('refuses a wrong PIN', async () => {
    await writeFile(token.pinFile, 'not-the-pin\n');
    await expectCode(open(), 'KEYS_HSM_PIN', 'not-the-pin');
  });
});
