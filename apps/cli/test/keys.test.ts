import { readFile, rm, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodePem, encodePem, toBase64Url } from '@fastness/codec';
import { verifyOmsBundle } from '@fastness/model/release';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hasNss, hasSoftHsm, makeNssToken, makeSoftHsmToken, pin } from '../../../packages/keys/test/support/tokens.ts';
import type { CliResult } from '../../../attacks/support/cli.ts';
import { defaultModel } from '../../../attacks/support/world.ts';
import {
  authority,
  certSign,
  digitalSignature,
  makeCertificate,
  type Subject,
} from '../../../packages/model/test/certificate-support.ts';
import { testKey } from '../../../packages/model/test/release-support.ts';
import { initCommand } from '../src/commands/init.ts';
import { keysCommand } from '../src/commands/keys.ts';
import { sealCommand } from '../src/commands/seal.ts';
import { signCommand } from '../src/commands/sign.ts';
import { runInProcess } from './support/in-process.ts';

vi.setConfig({ testTimeout: 300_000 });

let folder: string;
let home: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-cli-keys-'));
  home = join(folder, 'home');
});
afterEach(() => rm(folder, { recursive: true }));

const keys = (...args: string[]): Promise<CliResult> => runInProcess(keysCommand, home, ['keys', ...args]);
const init = (...args: string[]): Promise<CliResult> =>
  runInProcess(initCommand, home, ['init', '--tee', 'auto', '--approvers', 'alice', '--threshold', '1', ...args]);
const listed = ({ events }: CliResult): unknown => events.find(({ event }) => event === 'result')?.['keys'];

async function done(result: Promise<CliResult>): Promise<CliResult> {
  const settled = await result;
  expect(settled).toMatchObject({ exitCode: 0, code: undefined });
  return settled;
}

describe('fastness keys, on the software stores of a home', () => {
  beforeEach(async () => {
    await done(init());
  });

  it('goes through the life of a key', async () => {
    expect(listed(await done(keys('list')))).toMatchObject([{ id: 'model-kek', version: 1 }]);
    await done(keys('create', 'spare', '--purpose', 'wrap'));
    expect((await done(keys('rotate', 'spare'))).events).toMatchObject([{ event: 'key-rotated', version: 2 }]);
    expect(await keys('retire', 'spare', '--before', '2', '--confirm', 'typo')).toMatchObject({ code: 'CLI_USAGE' });
    await done(keys('retire', 'spare', '--before', '2', '--confirm', 'spare'));
    expect(await keys('destroy', 'spare', '--confirm', 'spare')).toMatchObject({ code: 'KEYS_NOT_DISABLED' });
    await done(keys('disable', 'spare'));
    // Seven days, unless it is said otherwise.
    expect(await keys('destroy', 'spare', '--confirm', 'spare')).toMatchObject({ code: 'KEYS_NOT_DISABLED' });
    await done(keys('enable', 'spare'));
    await done(keys('disable', 'spare'));
    expect(await keys('destroy', 'absent', '--confirm', 'absent', '--now')).toMatchObject({ code: 'KEYS_ID_UNKNOWN' });
    await done(keys('destroy', 'spare', '--confirm', 'spare', '--now'));
    expect(listed(await done(keys('list')))).toMatchObject([{ id: 'model-kek' }]);
  });

  it('names the store', async () => {
    expect(listed(await done(keys('list', '--store', 'owner')))).toMatchObject([{ id: 'owner', algorithm: 'P-384' }]);
    expect(listed(await done(keys('list', '--store', 'broker')))).toMatchObject([{ algorithm: 'Ed25519' }]);
    expect(listed(await done(keys('list', '--store', 'approver:alice')))).toMatchObject([{ algorithm: 'P-256' }]);
    expect(await keys('list', '--store', 'approver:constructor')).toMatchObject({ code: 'CLI_APPROVER_UNKNOWN' });
    expect(await keys('public', 'model-kek')).toMatchObject({ code: 'KEYS_PURPOSE' });
    expect(await keys('list', '--store', 'nowhere')).toMatchObject({ code: 'CLI_USAGE' });
    expect(await keys('list', '--store', 'pkcs11:token=a?pin-value=1234')).toMatchObject({ code: 'KEYS_HSM_URI' });
  });

  it('says what unwrapping costs, and that there is no hardware', async () => {
    const [result] = (await done(keys('doctor'))).events;
    expect(result).toMatchObject({ event: 'result', hardware: false, kind: 'software' });
    expect(result?.['unwrapsPerSecond']).toBeGreaterThan(0);
  });

  it('refuses the software store once the home asks for hardware', async () => {
    const file = join(home, 'config.json');
    const config = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...config, requireHardware: 'wrapping' }));
    expect(await keys('list')).toMatchObject({ code: 'KEYS_HARDWARE_REQUIRED', exitCode: 5 });
    await done(keys('list', '--store', 'owner'));
    await writeFile(file, JSON.stringify({ ...config, requireHardware: 'all' }));
    for (const store of ['kek', 'owner', 'broker', 'approver:alice']) {
      expect(await keys('list', '--store', store)).toMatchObject({ code: 'KEYS_HARDWARE_REQUIRED' });
    }
  });
});

describe('a home without hardware', () => {
  it('is not made when hardware is required', async () => {
    expect(await init('--require-hardware', 'wrapping')).toMatchObject({ code: 'KEYS_HARDWARE_REQUIRED' });
    expect(await keys('list')).toMatchObject({ code: 'CLI_HOME_MISSING' });
  });
});

describe.skipIf(!hasSoftHsm)('fastness keys, on a token (skipped without Debian softhsm2)', () => {
  it('keeps the keys of a home there, and takes them up again', async () => {
    await using token = await makeSoftHsmToken();
    const made = await done(init('--store', token.uri()));
    expect(made.stderr).not.toContain(pin);
    const there = listed(await done(keys('list')));
    expect(there).toMatchObject([{ id: 'broker' }, { id: 'model-kek' }, { id: 'owner' }]);
    await rm(home, { recursive: true });
    const again = await done(init('--store', token.uri()));
    expect(
      again.events.find(({ event, text }) => event === 'warning' && String(text).includes('already')),
    ).toBeDefined();
    expect(listed(await done(keys('list', '--store', token.uri())))).toEqual(there);
    const [doctor] = (await done(keys('doctor'))).events;
    expect(doctor).toMatchObject({ kind: 'pkcs11', hardware: false, profile: 'SoftHSM 2' });
    expect(doctor?.['probe']).toHaveLength(5);
    expect(await init()).toMatchObject({ code: 'CLI_HOME_EXISTS' });
    await rm(home, { recursive: true });
    expect(await init('--store', token.uri(), '--require-hardware', 'wrapping')).toMatchObject({
      code: 'KEYS_HARDWARE_REQUIRED',
    });
  });
});

describe.skipIf(!hasSoftHsm)("the owner's key on a token (skipped without Debian softhsm2)", () => {
  it('signs a release by a certificate that somebody issued for its public key', async () => {
    await using token = await makeSoftHsmToken();
    await done(init('--store', token.uri()));
    await done(runInProcess(sealCommand, home, ['seal', defaultModel]));
    const shown = (await done(keys('public', 'owner', '--store', 'owner'))).events.find(
      ({ event }) => event === 'result',
    );
    const [spki = new Uint8Array(0)] = decodePem(String(shown?.['pem']), 'PUBLIC KEY');
    expect(JSON.parse(await readFile(join(home, 'policy/client.json'), 'utf8')).ownerKeys).toEqual([toBase64Url(spki)]);

    const root: Subject = { name: 'root', key: testKey() };
    const times = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 86_400_000) };
    const rootCertificate = makeCertificate({
      subject: root,
      issuer: root,
      extensions: [authority(), certSign],
      ...times,
    });
    const certificateFor = async (key: Uint8Array): Promise<string> => {
      const subject: Subject = { name: 'owner', key: { spki: key, sign: root.key.sign } };
      const leaf = makeCertificate({ subject, issuer: root, extensions: [digitalSignature], ...times });
      const path = join(folder, 'chain.pem');
      await writeFile(path, [leaf, rootCertificate].map((der) => encodePem(der, 'CERTIFICATE')).join(''));
      return path;
    };
    const sign = (path: string): Promise<CliResult> =>
      runInProcess(signCommand, home, ['sign', '--measurement', 'ab'.repeat(48), '--certificate', path]);
    expect(await sign(await certificateFor(root.key.spki))).toMatchObject({ code: 'OMS_CERTIFICATE_KEY' });
    await expect(readFile(join(home, 'models/triage/release.json'))).rejects.toThrow('ENOENT');
    await done(sign(await certificateFor(spki)));
    const bundle = await readFile(join(home, 'models/triage/model.sig'), 'utf8');
    const { signer } = await verifyOmsBundle({ bundle, roots: [rootCertificate], now: new Date() });
    expect(signer).toMatchObject({ method: 'certificate', commonName: 'owner', keyId: shown?.['keyId'] });
    expect((await verifyOmsBundle({ bundle, publicKeys: [spki] })).signer.keyId).toBe(shown?.['keyId']);
  });
});

describe.skipIf(!hasNss)('a token without Ed25519 (skipped without Debian libnss3 and libnss3-tools)', () => {
  it("leaves the broker's key in software, and says so", async () => {
    await using token = await makeNssToken();
    const made = await done(init('--store', token.uri()));
    expect(made.events.some(({ event, text }) => event === 'warning' && String(text).includes('Ed25519'))).toBe(true);
    expect(listed(await done(keys('list', '--store', 'broker')))).toMatchObject([{ algorithm: 'Ed25519' }]);
    expect(listed(await done(keys('list')))).toMatchObject([{ id: 'model-kek' }, { id: 'owner' }]);
  });
});
