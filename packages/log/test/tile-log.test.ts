import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { afterAll, describe, expect, it } from 'vitest';
import { directoryLog, nodeHasher, type TileLog } from '../node/index.ts';
import {
  checkContinues,
  openCheckpoint,
  readCheckpoint,
  verifyConsistency,
  verifyEntries,
  verifyProof,
  type VerifiedCheckpoint,
} from '../src/index.ts';
import { testKey } from './keys.ts';
import { entriesOf, naiveRoot } from './oracle.ts';
import { openStore, trust } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-log-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
let count = 0;
const fresh = (): string => join(folder, String((count += 1)));
const sourceAt = (directory: string) => ({ read: directoryLog(directory), hasher: nodeHasher });
const code = (expected: string) => expect.objectContaining({ code: expected });

async function verified(directory: string): Promise<{ checkpoint: VerifiedCheckpoint; entries: string[] }> {
  const source = sourceAt(directory);
  const checkpoint = await readCheckpoint(source, trust);
  const entries: string[] = [];
  await verifyEntries(source, checkpoint, (_, entry) => {
    entries.push(utf8Decode(entry));
  });
  return { checkpoint, entries };
}

async function written(size: number, options = {}): Promise<string> {
  const directory = fresh();
  await using log = await openStore(directory, options);
  await log.append(entriesOf(size));
  return directory;
}

describe('a log on disk', () => {
  it('has the root of its entries, at every size, through restarts', async () => {
    const directory = fresh();
    const all = entriesOf(1200);
    let size = 0;
    for (const step of [0, 1, 1, 253, 1, 1, 300, 643]) {
      await using log = await openStore(directory, { publishEvery: 200 });
      expect(log.size).toBe(size);
      expect(await log.append(all.slice(size, size + step))).toBe(size);
      size += step;
      expect(await log.checkpoint()).toMatchObject({ size, root: naiveRoot(all.slice(0, size)) });
    }
    const { checkpoint, entries } = await verified(directory);
    expect(checkpoint.size).toBe(1200);
    expect(entries).toEqual(all.map((entry) => utf8Decode(entry)));
    // Partial tiles go once they are full; nothing is left of what was being written.
    expect(readdirSync(join(directory, 'tile/0')).sort()).toEqual(['000', '001', '002', '003', '004.p']);
    expect(readdirSync(join(directory, 'tmp'))).toEqual([]);
    expect(readdirSync(join(directory, 'journal'))).toEqual(['0000000000001200']);
  });

  it('numbers concurrent appends in order and proves each of them offline', async () => {
    await using log = await openStore(fresh(), { publishEvery: 100 });
    const all = entriesOf(700);
    const numbers = await Promise.all(all.map(async (entry) => log.append([entry])));
    expect(numbers).toEqual(all.map((_, index) => index));
    for (const index of [0, 99, 255, 256, 512, 699]) {
      const proven = await verifyProof({ proof: await log.prove(index), trust });
      expect([proven.index, utf8Decode(proven.entry)]).toEqual([index, `entry ${index}`]);
    }
    await expect(log.prove(700)).rejects.toThrow(code('LOG_RANGE'));
    const proof = await log.proveConsistency(300, 700);
    const at = (size: number) => ({ size, root: naiveRoot(all.slice(0, size)) });
    await verifyConsistency({ older: at(300), newer: at(700), proof });
  });

  it('serves what is not published yet, and partial tiles that were filled since', async () => {
    await using log = await openStore(fresh(), { publishEvery: 1_000_000 });
    const all = entriesOf(600);
    await log.append(all.slice(0, 300));
    const source = { read: async (path: string) => log.resource(path), hasher: nodeHasher };
    const early = await readCheckpoint(source, trust);
    await verifyEntries(source, early);
    await log.append(all.slice(300));
    await log.publish();
    await log.append(entriesOf(1));
    await verifyEntries(source, early);
    const late = await readCheckpoint(source, trust);
    await verifyEntries(source, late);
    await checkContinues(source, late, early);
    for (const path of ['tile/0/002.p/90', 'tile/0/003', 'tile/3/000', 'journal/0000000000000000', '../lock']) {
      expect(await log.resource(path), path).toBeUndefined();
    }
  });

  it('has one writer', async () => {
    const directory = fresh();
    await using log = await openStore(directory);
    await expect(openStore(directory)).rejects.toThrow(code('LOG_LOCKED'));
    expect(log.size).toBe(0);
  });

  it('takes nothing too long, and nothing after it was closed', async () => {
    const log = await openStore(fresh());
    await log.append([new Uint8Array(0xffff), new Uint8Array(0)]);
    await expect(log.append([new Uint8Array(0x10000)])).rejects.toThrow(code('LOG_ENTRY_LIMIT'));
    await log.close();
    await expect(log.append(entriesOf(1))).rejects.toThrow(code('LOG_UNAVAILABLE'));
  });

  it('stops for good when the disk fails, and has everything it acknowledged at the next start', async () => {
    const directory = fresh();
    let failing = false;
    const log = await openStore(directory, {
      beforeDiskStep: (step) => {
        if (failing && step === 'sync-journal') throw new Error('I/O error');
      },
    });
    await log.append(entriesOf(10));
    failing = true;
    await expect(log.append(entriesOf(1))).rejects.toThrow(code('LOG_UNAVAILABLE'));
    failing = false;
    await expect(log.append(entriesOf(1))).rejects.toThrow(code('LOG_UNAVAILABLE'));
    expect(log.failed).toBe(true);
    await log.close();
    await using again = await openStore(directory);
    expect(again.size).toBeGreaterThanOrEqual(10);
  });

  it('goes on appending when the key or the disk keeps it from publishing', async () => {
    const errors: unknown[] = [];
    let failing = true;
    const directory = fresh();
    await using log = await openStore(directory, {
      publishEvery: 5,
      report: (error) => errors.push(error),
      beforeDiskStep: (step) => {
        if (failing && step === 'rename-file') throw new Error('no space');
      },
    });
    await log.append(entriesOf(10));
    await expect(log.publish()).rejects.toThrow('no space');
    expect(errors).toHaveLength(1);
    failing = false;
    await log.append(entriesOf(10));
    await log.publish();
    expect((await verified(directory)).checkpoint.size).toBe(20);
  });

  it('accepts a new key when it is told the old one', async () => {
    const directory = await written(5);
    const next = await testKey('store.example');
    await expect(openStore(directory, next)).rejects.toThrow(code('LOG_NOTE_UNSIGNED'));
    const log = await openStore(directory, { ...next, earlierKeys: trust.logKeys });
    await log.close();
    expect((await readCheckpoint(sourceAt(directory), { logKeys: [next.key] })).size).toBe(5);
    const other = await testKey('other.example');
    await expect(openStore(directory, { ...other, earlierKeys: [next.key] })).rejects.toThrow(code('LOG_ORIGIN'));
  });
});

describe('damage found at the start', () => {
  const damages: Record<string, [string, (directory: string) => void]> = {
    'a changed leaf': ['LOG_TILES_DAMAGED', (at) => flip(join(at, 'tile/0/000'), 100)],
    'a changed upper tile': ['LOG_TILES_DAMAGED', (at) => flip(join(at, 'tile/1/000.p/1'), 3)],
    'a changed entry': ['LOG_TILES_DAMAGED', (at) => flip(join(at, 'tile/entries/001.p/44'), 9)],
    'a missing tile': ['LOG_UNAVAILABLE', (at) => rmSync(join(at, 'tile/0/000'))],
    'a changed checkpoint': ['LOG_NOTE_SIGNATURE', (at) => replace(join(at, 'checkpoint'), '\n300\n', '\n301\n')],
    'a missing checkpoint': ['LOG_STORE_DAMAGED', (at) => rmSync(join(at, 'checkpoint'))],
    'a missing checkpoint and journal': [
      'LOG_STORE_DAMAGED',
      (at) => {
        rmSync(join(at, 'checkpoint'));
        rmSync(join(at, 'journal'), { recursive: true });
      },
    ],
  };
  for (const [name, [expected, damage]] of Object.entries(damages)) {
    it(`refuses ${name}`, async () => {
      const directory = await written(300);
      damage(directory);
      await expect(openStore(directory)).rejects.toThrow(code(expected));
    });
  }

  it('refuses a checkpoint of a longer log over the tiles of a shorter one', async () => {
    const directory = await written(300);
    const shorter = await written(200);
    cpSync(join(directory, 'checkpoint'), join(shorter, 'checkpoint'));
    await expect(openStore(shorter)).rejects.toThrow(code('LOG_UNAVAILABLE'));
    await expect(openStore(shorter, { check: 'edge' })).rejects.toThrow(code('LOG_STORE_DAMAGED'));
  });

  it('refuses a journal that begins too late or says something else than the tiles', async () => {
    const directory = fresh();
    const log = await openStore(directory);
    await log.append(entriesOf(5));
    const copy = fresh();
    cpSync(directory, copy, { recursive: true });
    await log.close();
    const journal = (at: string): string => join(at, 'journal', readdirSync(join(at, 'journal')).at(-1) ?? '');
    const late = readFileSync(journal(copy));
    writeFileSync(join(copy, 'journal/0000000000000005'), late);
    rmSync(join(copy, 'journal/0000000000000000'));
    await expect(openStore(copy)).rejects.toThrow(code('LOG_STORE_DAMAGED'));
    const other = fresh();
    const differing = await openStore(other);
    await differing.append(entriesOf(6).toReversed());
    cpSync(join(other, 'journal/0000000000000000'), join(directory, 'journal/0000000000000000'));
    await differing.close();
    await expect(openStore(directory)).rejects.toThrow(code('LOG_STORE_DAMAGED'));
  });

  it('cuts off an incomplete final write of any length', async () => {
    const directory = fresh();
    const log = await openStore(directory);
    await log.append(entriesOf(3));
    const { size: before } = statSync(join(directory, 'journal/0000000000000000'));
    await log.append([utf8Encode('the last one')]);
    const { size: after } = statSync(join(directory, 'journal/0000000000000000'));
    for (let length = before; length <= after; length += 1) {
      const copy = fresh();
      cpSync(directory, copy, { recursive: true });
      truncateSync(join(copy, 'journal/0000000000000000'), length);
      await using torn = await openStore(copy);
      expect(torn.size, `${length - before} bytes`).toBe(length === after ? 4 : 3);
      await torn.append(entriesOf(1));
      expect(torn.size).toBe(length === after ? 5 : 4);
    }
    await log.close();
  });
});

describe('kill -9', () => {
  const program = fileURLToPath(new URL('append-until-step.ts', import.meta.url));
  const run = async (directory: string, step: number): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const child = spawn(
        process.execPath,
        ['--conditions=source', '--no-warnings', program, directory, String(step)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      child.on('error', reject);
      child.on('close', () => resolve(output.split('\n').slice(0, -1)));
    });

  /** After any kill: what was acknowledged is there, and continues every checkpoint that was signed. */
  const check = async (directory: string, lines: readonly string[]): Promise<void> => {
    const acknowledged = Math.max(0, ...lines.map((line) => Number(/^(?:size|opened) (\d+)$/.exec(line)?.[1] ?? 0)));
    const log = await openStore(directory);
    expect(log.size).toBeGreaterThanOrEqual(acknowledged);
    await log.append([utf8Encode(`entry ${log.size}`)]);
    await log.close();
    const { checkpoint, entries } = await verified(directory);
    expect(entries).toEqual(entriesOf(checkpoint.size).map((entry) => utf8Decode(entry)));
    for (const line of lines.filter((candidate) => candidate.startsWith('checkpoint '))) {
      const note: unknown = JSON.parse(line.slice('checkpoint '.length));
      const earlier = await openCheckpoint(String(note), trust);
      await checkContinues(sourceAt(directory), checkpoint, earlier);
    }
  };

  // Every step of the disk in this process: from that step on nothing reaches the disk any more.
  it('loses nothing acknowledged when it ends in front of any single change of the disk', async () => {
    let ended = 0;
    for (let step = 1; ; step += 1) {
      const directory = fresh();
      let left = step;
      const beforeDiskStep = (): void => {
        left -= 1;
        if (left <= 0) throw new Error('ended');
      };
      const log = await openStore(directory, { publishEvery: 150, beforeDiskStep }).catch(() => undefined);
      const lines = log === undefined ? [] : await appendTo(log);
      await log?.close().catch(() => undefined);
      await check(directory, lines);
      if (left > 0) break;
      ended += 1;
    }
    expect(ended).toBeGreaterThan(50);
  });

  // A process takes long to start, so these come at every eleventh step.
  it('loses nothing acknowledged when it is killed', { timeout: 120_000 }, async () => {
    let killed = 0;
    for (let step = 1; ; step += 22) {
      const runs = await Promise.all(
        [0, 11].map(async (more) => {
          const directory = fresh();
          const lines = await run(directory, step + more);
          await check(directory, lines);
          return lines.includes('closed');
        }),
      );
      killed += runs.filter((finished) => !finished).length;
      if (runs.every(Boolean)) break;
    }
    expect(killed).toBeGreaterThan(5);
  });

  it('recovers from a kill during recovery', async () => {
    const directory = fresh();
    const lines: string[] = [];
    for (const step of [30, 3, 12, 40]) lines.push(...(await run(directory, step)));
    await check(directory, lines);
  });
});

/** What `append-until-step.ts` does, in this process. */
async function appendTo(log: TileLog): Promise<string[]> {
  const lines: string[] = [];
  for (const count of [1, 254, 3, 100]) {
    const first = log.size;
    try {
      await log.append(Array.from({ length: count }, (_, place) => utf8Encode(`entry ${first + place}`)));
    } catch {
      break;
    }
    lines.push(`size ${log.size}`, `checkpoint ${JSON.stringify((await log.checkpoint()).note)}`);
  }
  return lines;
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.with(at, (bytes[at] ?? 0) ^ 1));
}

function replace(path: string, from: string, to: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace(from, to));
}
