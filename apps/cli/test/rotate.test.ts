import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { equalBytes } from '@fastness/codec';
import { wrappedKeyToJson, type WrappedKey } from '@fastness/keys';
import { readSealedModel, rootKeyContext } from '@fastness/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '@fastness/broker';
import { admin, call, createEnclave, granted, requestKey } from '../../broker/test/actors.ts';
import { runUntilKilled } from '../../broker/test/run-until-killed.ts';
import { adminToken, createWorld, type TestRelease, type World } from '../../broker/test/world.ts';
import { rotateModel } from '../src/support/rotation.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-rotate-'));
const journalPath = join(folder, 'rotation.json');
let world: World;
let broker: Broker;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(folder);
  broker = await world.start();
  release = await admin.registered(broker.url, await world.release());
});
afterAll(async () => {
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs one rotation in a process of its own, which dies at its `killAt`-th write; 0: never. */
async function rotate(killAt: number): Promise<{ signal: string | null; answer: unknown; stderr: string }> {
  const program = join(import.meta.dirname, 'support/rotate-once.ts');
  const { signal, stdout, stderr } = await runUntilKilled(program, killAt, {
    DIR: release.directory,
    STORE: world.keyStorePath,
    JOURNAL: journalPath,
    BROKER: broker.url,
    TOKEN: adminToken,
    DIGEST: release.digestHex,
  });
  return { signal, answer: stdout === '' ? undefined : JSON.parse(stdout), stderr };
}

const rotating = (): Pick<Parameters<typeof rotateModel>[0], 'dir' | 'keyStore' | 'journalPath'> => ({
  dir: release.directory,
  keyStore: managed(world),
  journalPath,
});

async function putKeys(root: WrappedKey): Promise<void> {
  const json = { releaseDigest: release.digestHex, keys: { format: 'fastness/keys/v1', root: wrappedKeyToJson(root) } };
  const answer = await call(`${broker.url}/v1/admin/wrapped-keys`, { method: 'PUT', token: adminToken, json });
  expect(answer.status).toBe(200);
}

const versionNow = async (): Promise<number> =>
  (await world.keyStore.list()).find(({ id }) => id === 'kek')?.version ?? 0;

/** The version in keys.json, after checking that it holds the same key as ever. */
async function wrappedVersion(): Promise<number> {
  const { manifest, wrappedRoot } = await readSealedModel(release.directory);
  const root = await world.keyStore.unwrap(wrappedRoot, rootKeyContext(manifest));
  expect(equalBytes(root, release.root)).toBe(true);
  return wrappedRoot.keyVersion;
}

describe('fastness rotate', () => {
  it(
    'killed before every single write, it finishes or has not begun, and the model opens at every moment',
    { timeout: 240_000 },
    async () => {
      let kills = 0;
      for (let at = 1; ; at += 1) {
        const before = await versionNow();
        const cut = await rotate(at);
        // However it ended: the files open, and the broker gives the key away as before.
        const between = await versionNow();
        expect([before, before + 1]).toContain(between);
        expect([before, before + 1]).toContain(await wrappedVersion());
        granted(await requestKey(broker.url, { world, enclave: await createEnclave(), release }));
        if (cut.signal === null) {
          expect(cut.answer, cut.stderr).toEqual({ version: before + 1, resumed: false });
          break;
        }
        expect(cut.signal).toBe('SIGKILL');
        kills += 1;
        const begun = existsSync(journalPath);
        const again = await rotateModel({ ...rotating(), register: putKeys });
        // What was begun is finished to its version; what was not is a rotation of its own. Never two.
        expect(again).toMatchObject({ version: before + 1, resumed: begun });
        expect(await versionNow()).toBe(before + 1);
        expect(await wrappedVersion()).toBe(before + 1);
        expect(existsSync(journalPath)).toBe(false);
        const last = (await admin.audit(broker.url)).findLast(({ kind }) => kind === 'rewrapped');
        expect(last?.facts).toMatchObject({ wrappingKeyVersion: before + 1 });
      }
      expect(kills).toBeGreaterThanOrEqual(8);
    },
  );

  it('refuses a journal that is damaged or of another model', async () => {
    const journal = {
      format: 'fastness/rotation/v1',
      modelId: 'tiny',
      sealId: '00'.repeat(8),
      keyId: 'kek',
      toVersion: 99,
    };
    for (const content of ['{', JSON.stringify(journal), JSON.stringify({ ...journal, more: 1 })]) {
      writeFileSync(journalPath, content);
      await expect(rotateModel({ ...rotating(), register: async () => {} })).rejects.toMatchObject({
        code: 'LIFECYCLE_ROTATION_JOURNAL',
      });
      expect(readFileSync(journalPath, 'utf8')).toBe(content);
    }
    rmSync(journalPath);
  });
});

function managed({ keyStore }: World): Parameters<typeof rotateModel>[0]['keyStore'] {
  if (!('rotate' in keyStore)) throw new Error('the software store no longer rotates');
  return keyStore as Parameters<typeof rotateModel>[0]['keyStore'];
}
