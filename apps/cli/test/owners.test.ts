import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseBrokerPolicy } from '@fastness/broker';
import { parseClientPolicy } from '@fastness/client';
import { encodePem } from '@fastness/codec';
import { readOwnerSets } from '@fastness/model';
import { followOwnerRoots } from '@fastness/model/release';
import { openKeyStore } from '@fastness/keys';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { hasSoftHsm, makeSoftHsmToken } from '../../../packages/keys/test/support/tokens.ts';
import type { CliResult } from '../../../attacks/support/cli.ts';
import { initCommand } from '../src/commands/init.ts';
import { keysCommand } from '../src/commands/keys.ts';
import { ownersCommand } from '../src/commands/owners.ts';
import { openStore } from '../src/support/stores.ts';
import { homeAt } from '../src/support/home.ts';
import { runInProcess } from './support/in-process.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: string;
let home: string;
const owners = (...args: string[]): Promise<CliResult> => runInProcess(ownersCommand, home, ['owners', ...args]);
const done = async (result: Promise<CliResult>): Promise<CliResult> => {
  const settled = await result;
  expect(settled).toMatchObject({ exitCode: 0, code: undefined });
  return settled;
};
const policies = async () => ({
  client: parseClientPolicy(JSON.parse(await readFile(join(home, 'policy/client.json'), 'utf8'))),
  broker: parseBrokerPolicy(JSON.parse(await readFile(join(home, 'policy/broker.json'), 'utf8'))).policy,
});
const shown = async () => (await done(owners('show'))).events.find(({ event }) => event === 'result');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-cli-owners-'));
  home = join(folder, 'home');
  await done(runInProcess(initCommand, home, ['init', '--tee', 'auto', '--approvers', 'alice', '--threshold', '1']));
});
afterAll(() => rm(folder, { recursive: true }));

describe('fastness owners', () => {
  it('pins a first set, and begins nothing before that', async () => {
    expect(await owners('show')).toMatchObject({ code: 'CLI_USAGE' });
    expect(await owners('renew')).toMatchObject({ code: 'CLI_USAGE' });
    await done(owners('init'));
    const { client, broker } = await policies();
    expect(client.ownerRoots).toEqual({ trusted: expect.objectContaining({ version: 1, threshold: 1 }), chain: [] });
    expect(broker.ownerRoots).toEqual(client.ownerRoots);
    expect(await owners('init')).toMatchObject({ code: 'CLI_USAGE' });
  });

  it('adds a key that signs for itself, and takes the old one away, signature by signature', async () => {
    // A sealed model, as far as this is concerned; and the store of another owner.
    const model = join(home, 'models/triage');
    await mkdir(model, { recursive: true });
    await writeFile(join(model, 'manifest.json'), '{}');
    const pem = join(folder, 'new.pem');
    await using store = await openStore(homeAt(home), 'owner');
    await store.create({ id: 'second', purpose: 'sign', algorithm: 'P-256' });
    await writeFile(pem, encodePem(await store.publicKey('second'), 'PUBLIC KEY'));
    const { publicKey: stranger } = generateKeyPairSync('ed25519');
    await writeFile(join(folder, 'ed25519.pem'), stranger.export({ type: 'spki', format: 'pem' }));
    expect(await owners('add', '--key', join(folder, 'ed25519.pem'))).toMatchObject({ code: 'OMS_KEY_UNSUPPORTED' });
    expect(await owners('sign')).toMatchObject({ code: 'CLI_FILE_UNREADABLE' });

    await done(owners('add', '--key', pem, '--threshold', '2'));
    expect(await owners('publish')).toMatchObject({ code: 'OWNER_ROOT_MALFORMED' });
    await done(owners('sign'));
    expect(await owners('publish')).toMatchObject({ code: 'OWNER_ROOT_THRESHOLD' });
    expect(await owners('sign', '--store', 'approver:alice', '--key-id', 'approver')).toMatchObject({
      code: 'OWNER_ROOT_SIGNATURE',
    });
    // What was signed is what is published: a change voids the signatures.
    await done(owners('renew', '--threshold', '2'));
    await done(owners('sign', '--key-id', 'second'));
    expect(await owners('publish')).toMatchObject({ code: 'OWNER_ROOT_THRESHOLD' });
    await done(owners('sign'));
    expect((await shown())?.['begun']).toMatchObject({ version: 2, signatures: { old: 1, new: 2 } });
    await done(owners('publish'));
    const after = await shown();
    expect(after).toMatchObject({ trusted: 1, version: 2, threshold: 2 });
    expect(after).not.toHaveProperty('begun');

    const keys = after?.['keys'];
    const first = Array.isArray(keys) ? String(keys[0]).slice(0, 12) : '';
    expect(await owners('remove', 'ffffffffffff')).toMatchObject({ code: 'CLI_USAGE' });
    expect(await owners('remove', first)).toMatchObject({ code: 'OWNER_ROOT_MALFORMED' });
    await done(owners('remove', first, '--threshold', '1'));
    await done(owners('sign', '--key-id', 'second'));
    expect(await owners('publish')).toMatchObject({ code: 'OWNER_ROOT_THRESHOLD' });
    await done(owners('sign'));
    await done(owners('publish'));

    const { client, broker } = await policies();
    expect(broker.ownerRoots).toEqual(client.ownerRoots);
    // Enclaves hand the sets to clients that still pin the first one.
    const offered = await readOwnerSets(join(model, 'owners'));
    const trusted = client.ownerRoots?.trusted;
    if (trusted === undefined) throw new Error('nothing pinned');
    const followed = await followOwnerRoots({ trusted, chain: [], offered, now: new Date() });
    expect(followed.root).toMatchObject({ version: 3, threshold: 1 });
    expect(followed.publicKeys).toEqual([await store.publicKey('second')]);
  });

  it('signs a set that somebody else began', async () => {
    await done(owners('renew'));
    const sent = join(folder, 'sent.json');
    await writeFile(sent, await readFile(join(home, 'policy/owners/draft.json')));
    await done(owners('sign', '--draft', sent, '--key-id', 'second'));
    const text = await readFile(sent, 'utf8');
    await writeFile(sent, text.replace('"version": 4', '"version": 5'));
    expect(await owners('publish', '--draft', sent)).toMatchObject({ code: 'OWNER_ROOT_VERSION' });
    await writeFile(sent, text.replace(/"expires": "20/g, '"expires": "21'));
    expect(await owners('publish', '--draft', sent)).toMatchObject({ code: 'OWNER_ROOT_SIGNATURE' });
    await writeFile(sent, text);
    await done(owners('publish', '--draft', sent));
    expect(await shown()).toMatchObject({ version: 4 });
  });
});

describe.skipIf(!hasSoftHsm)('fastness owners, with keys on a token', () => {
  it('signs with a key that never leaves it', async () => {
    const other = join(folder, 'token-home');
    await using token = await makeSoftHsmToken();
    const run = (command: typeof ownersCommand, ...args: string[]): Promise<CliResult> =>
      runInProcess(command, other, args);
    await done(run(initCommand, 'init', '--tee', 'auto', '--approvers', 'alice', '--threshold', '1'));
    await done(run(ownersCommand, 'owners', 'init'));
    const place = ['--store', token.uri()];
    await done(run(keysCommand, 'keys', 'create', 'hsm', '--purpose', 'sign', '--algorithm', 'P-384', ...place));
    const pem = join(folder, 'hsm.pem');
    {
      await using store = await openKeyStore(token.uri());
      await writeFile(pem, encodePem(await store.publicKey('hsm'), 'PUBLIC KEY'));
    }
    await done(run(ownersCommand, 'owners', 'add', '--key', pem));
    await done(run(ownersCommand, 'owners', 'sign'));
    await done(run(ownersCommand, 'owners', 'sign', ...place, '--key-id', 'hsm'));
    await done(run(ownersCommand, 'owners', 'publish'));
  });
});
