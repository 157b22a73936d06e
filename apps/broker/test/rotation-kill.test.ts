import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { equalBytes } from '@fastness/codec/bytes';
import { wrappedKeyFromJson } from '@fastness/keys';
import { parseManifest, rootKeyContext } from '@fastness/model';
import { beforeAll, describe, expect, it } from 'vitest';
import { modelKeysSchema, verifyAuditLog } from '../src/index.ts';
import { admin } from './actors.ts';
import { runUntilKilled } from './run-until-killed.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, sha256, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
const state = join(directory, 'rotating');
const armed = join(directory, 'armed');
let world: World;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(mkdtempSync(join(directory, 'world-')));
  const broker = await world.start({ databasePath: `${state}.db`, auditPath: `${state}.log` });
  release = await admin.registered(broker.url, await world.release());
  await broker.close();
  writeFileSync(`${state}.policy`, JSON.stringify(world.policy));
});

/** Runs a broker that rotates the key once and dies at its `killAt`-th write from then on. */
async function rotate(killAt: number): Promise<{ signal: string | null; said: object[]; stderr: string }> {
  rmSync(armed, { force: true });
  const program = join(import.meta.dirname, 'rotate-until-killed.ts');
  const { signal, stdout, stderr } = await runUntilKilled(program, killAt, {
    KILL_ARMED: armed,
    STATE: state,
    STORE: world.keyStorePath,
    NOW: dawn.toISOString(),
    TOKEN: adminToken,
    TOKEN_SHA256: sha256(adminToken),
  });
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { signal, said: lines.map((line) => JSON.parse(line) as object), stderr };
}

/** What a dead broker left: where a rotation under way goes to, and the version that wraps the model, which still opens. */
async function left(): Promise<{
  readonly target: number | undefined;
  readonly wrapped: number;
  readonly newest: number;
}> {
  using database = new DatabaseSync(`${state}.db`);
  const row = database.prepare('select keys from releases').get();
  const root = wrappedKeyFromJson(modelKeysSchema.parse(JSON.parse(String(row?.['keys']))).root);
  const opened = await world.keyStore.unwrap(root, rootKeyContext(parseManifest(release.package.manifest)));
  expect(equalBytes(opened, release.root)).toBe(true);
  const target = database.prepare('select rotation_target from wrapping_keys').get()?.['rotation_target'];
  const newest = (await world.keyStore.list()).find(({ id }) => id === 'kek')?.version ?? 0;
  return { target: typeof target === 'number' ? target : undefined, wrapped: root.keyVersion, newest };
}

describe('a rotation by the broker', () => {
  it(
    'killed before every single write, finishes or has not begun, and the model opens at every moment',
    { timeout: 240_000 },
    async () => {
      let kills = 0;
      let cutOff = 0;
      let before = await left();
      for (let at = 1; ; at += 1) {
        const run = await rotate(at);
        // What the broker before was cut off in is finished first, to the version it began with.
        const begun = before.target;
        expect(run.said[0], run.stderr).toEqual({ finished: begun === undefined ? [] : ['kek'] });
        const from = begun ?? before.newest;
        const after = await left();
        expect([from, from + 1]).toContain(after.newest);
        expect([from, from + 1]).toContain(after.wrapped);
        if (begun !== undefined) cutOff += 1;
        if (run.signal === null) {
          expect(run.said[1], run.stderr).toEqual({ status: 200 });
          expect(after).toEqual({ target: undefined, wrapped: from + 1, newest: from + 1 });
          break;
        }
        expect(run.signal).toBe('SIGKILL');
        kills += 1;
        // A version that nobody had written down would be one too many.
        if (after.target === undefined) expect(after.wrapped).toBe(after.newest);
        else expect(after.target).toBe(from + 1);
        before = after;
      }
      expect(kills).toBeGreaterThanOrEqual(8);
      expect(cutOff).toBeGreaterThanOrEqual(4);
      expect(await verifyAuditLog(`${state}.log`)).toMatchObject({ tornBytes: 0 });
    },
  );
});
