import { randomBytes } from 'node:crypto';
import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { nextHistory, type FreshnessAnchor } from '@fastness/evidence/freshness';
import { Kysely } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { openAnchor, type AnchorTables } from '../src/index.ts';
import { postgresDialect } from '../src/store/postgres.ts';
import { sqliteDialect } from '../src/store/sqlite.ts';
import { postgresPrograms } from './postgres-programs.ts';
import { sharedPostgres } from './postgres.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';

const directory = temporaryDirectory();

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
}

// A real PostgreSQL server; where Debian's postgresql is not installed, its half does not run.
describe.each(['sqlite', 'postgresql'] as const)('an anchor in a database: %s', (kind) => {
  const test = it.skipIf(kind === 'postgresql' && postgresPrograms === undefined);
  const opened: FreshnessAnchor[] = [];
  afterEach(async () => {
    for (const anchor of opened.splice(0)) await anchor[Symbol.asyncDispose]();
  });
  const place = async (): Promise<string> =>
    kind === 'sqlite' ? `sqlite:${freshPath(directory, 'anchor')}` : await (await sharedPostgres()).createDatabase();
  const open = async (anchor: string, name = 'broker'): Promise<FreshnessAnchor> => {
    const one = await openAnchor({ anchor, name });
    opened.push(one);
    return one;
  };

  test('is made once and rises by one, whatever opens it', async () => {
    const where = await place();
    const anchor = await open(where);
    expect(await anchor.identity()).toBeUndefined();
    expect(await codeOf(anchor.read())).toBe('FRESHNESS_ANCHOR_MISSING');
    await anchor.provision();
    await expect(anchor.provision()).rejects.toThrow();
    const start = await anchor.read();
    const digest = randomBytes(32);
    const next = await anchor.advance(start, digest);
    expect(next.value).toBe(start.value + 1n);
    expect(equalBytes(next.history, nextHistory(start.history, digest))).toBe(true);
    // The answer may have been lost: asked again, it stays.
    expect(await anchor.advance(start, digest)).toEqual(next);
    expect(await codeOf(anchor.advance(start, randomBytes(32)))).toBe('FRESHNESS_ANCHOR_MOVED');
    const again = await open(where);
    expect(await again.identity()).toBe(await anchor.identity());
    expect(await again.read()).toEqual(next);
    expect(anchor.description).not.toContain('@');
  });

  test('lets one of many that stand at the same place get on', async () => {
    const where = await place();
    const first = await open(where);
    await first.provision();
    const all = [first, await open(where), await open(where), await open(where)];
    for (let round = 0; round < 10; round += 1) {
      const from = await first.read();
      const codes = await Promise.all(all.map((anchor) => codeOf(anchor.advance(from, randomBytes(32)))));
      expect(codes.toSorted()).toEqual([...Array<string>(3).fill('FRESHNESS_ANCHOR_MOVED'), 'done']);
      expect((await first.read()).value).toBe(from.value + 1n);
    }
  });

  test('is one for each name, and another one when its row was made again', async () => {
    const where = await place();
    const anchor = await open(where);
    await anchor.provision();
    const other = await open(where, 'other');
    expect(await other.identity()).toBeUndefined();
    await other.provision();
    const identity = await anchor.identity();
    expect(await other.identity()).not.toBe(identity);
    const dialect =
      kind === 'sqlite' ? sqliteDialect(where.slice('sqlite:'.length)) : await postgresDialect({ url: where });
    const db = new Kysely<AnchorTables>({ dialect });
    await db.deleteFrom('freshness_anchors').where('name', '=', 'broker').execute();
    await db.updateTable('freshness_anchors').set({ value: '-1' }).where('name', '=', 'other').execute();
    await db.destroy();
    expect(await anchor.identity()).toBeUndefined();
    await anchor.provision();
    expect(await anchor.identity()).not.toBe(identity);
    expect(await codeOf(other.read())).toBe('FRESHNESS_ANCHOR_CHANGED');
  });
});
