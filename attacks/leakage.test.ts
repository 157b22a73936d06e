import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSoftwareKeyStore, readPassphraseFile } from '@fastness/keys';
import { deriveFileKey, readSealedModel, rootKeyContext } from '@fastness/model';
import { mustRun } from './support/cli.ts';
import { clientOf, chat } from './support/client.ts';
import { createWorld, defaultModel, startStack, type Stack, type World } from './support/world.ts';

// Everything that the relay saw, the disk, the logs and the broker's database, searched for what must not be there.

const marker = 'zebra-quartz-7731';
const note = `72F c/o chest pain since this morning (${marker}). Denies SOB. BP 84/52.`;

describe('after a conversation', { timeout: 600_000 }, () => {
  let world: World;
  let stack: Stack;
  let answer: string;
  let secrets: Map<string, Buffer>;
  let startedAt: number;

  beforeAll(async () => {
    world = await createWorld();
    stack = await startStack(world, { relayArgs: ['--record', join(world.home, 'relay-record.bin')] });
    startedAt = Date.now();
    const text = await chat(await clientOf(world, { url: stack.relay.url }), note);
    await mustRun(world.home, ['chat', '--url', stack.relay.url], note);
    answer = [...text.matchAll(/"content":"((?:[^"\\]|\\.)*)"/g)]
      .map(([, piece]) => JSON.parse(`"${piece}"`) as string)
      .join('');
    secrets = await collectSecrets();
    // Whatever is written at the end must be searched too.
    for (const service of [stack.enclave, stack.relay, stack.broker]) await service.stop();
  }, 600_000);
  afterAll(async () => {
    await world.dispose();
  });

  const collectSecrets = async (): Promise<Map<string, Buffer>> => {
    await using store = await openSoftwareKeyStore({
      path: join(world.home, 'keys/kek.keystore'),
      passphrase: await readPassphraseFile(join(world.home, 'keys/kek.pass')),
    });
    const { manifest, wrappedRoot } = await readSealedModel(world.modelDir);
    const root = await store.unwrap(wrappedRoot, rootKeyContext(manifest));
    const fileKey = deriveFileKey(root, manifest, manifest.files[0]?.path ?? '');
    const weights = await readFile(defaultModel);
    return new Map([
      ['prompt', Buffer.from(marker)],
      ['answer', Buffer.from(answer)],
      ['root key', Buffer.from(root)],
      ['file key', Buffer.from(fileKey)],
      ['weights', weights.subarray(weights.length - 100_000, weights.length - 99_968)],
    ]);
  };

  /** Every way in which the bytes could stand in a file; base64 has three, by what comes before. */
  const forms = (secret: Buffer): Buffer[] => {
    const aligned = [0, 1, 2].flatMap((shift) => {
      const whole = secret.subarray((3 - shift) % 3);
      const cut = whole.subarray(0, whole.length - (whole.length % 3));
      return [cut.toString('base64'), cut.toString('base64url')];
    });
    const hex = secret.toString('hex');
    return [secret, ...[hex, hex.toUpperCase(), ...aligned].map((text) => Buffer.from(text))];
  };

  const search = (place: string, bytes: Buffer): string[] =>
    [...secrets].flatMap(([name, secret]) =>
      forms(secret).some((form) => bytes.includes(form)) ? [`${name} in ${place}`] : [],
    );

  it('had an answer worth searching for', () => {
    expect(answer).toContain('level=');
    expect(search('the prompt itself', Buffer.from(note))).toEqual(['prompt in the prompt itself']);
  });

  it('finds nothing in what the relay saw, and the relay did see it', async () => {
    const record = await readFile(join(world.home, 'relay-record.bin'));
    expect(record.length).toBeGreaterThan(2000);
    expect(search('the relay record', record)).toEqual([]);
  });

  it('finds nothing on the disk: home, logs, database', async () => {
    const found: string[] = [];
    let files = 0;
    for (const entry of await readdir(world.home, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      files += 1;
      const path = join(entry.parentPath, entry.name);
      found.push(...search(path, await readFile(path)));
    }
    expect(files).toBeGreaterThan(20);
    expect(found).toEqual([]);
  });

  it('finds nothing in what the processes printed', () => {
    for (const [name, service] of Object.entries(stack)) {
      const { events } = (service as Stack['enclave']).cli;
      const printed = Buffer.from(`${(service as Stack['enclave']).cli.stderr()}\n${JSON.stringify(events)}`);
      expect(printed.length, name).toBeGreaterThan(10);
      expect(search(name, printed)).toEqual([]);
    }
  });

  it('finds no prompt and no key in temporary folders', async () => {
    const found: string[] = [];
    for (const folder of [tmpdir(), '/dev/shm']) {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
        const path = join(entry.parentPath, entry.name);
        const facts = entry.isFile() ? await stat(path).catch(() => undefined) : undefined;
        // Other tests keep copies of the same model there, so weights and answers say nothing about this one.
        if (facts === undefined || facts.mtimeMs < startedAt || facts.size > 64 * 2 ** 20) continue;
        const bytes = await readFile(path).catch(() => Buffer.alloc(0));
        found.push(...search(path, bytes).filter((text) => !/^(?:weights|answer) /.test(text)));
      }
    }
    expect(found).toEqual([]);
  });
});
