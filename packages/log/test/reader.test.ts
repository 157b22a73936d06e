import { utf8Decode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  checkContinues,
  makeConsistencyProof,
  makeProof,
  openCheckpoint,
  parseProof,
  readCheckpoint,
  verifyConsistency,
  verifyEntries,
  verifyProof,
} from '../src/index.ts';
import { testKey } from './keys.ts';
import { memoryLog, signedBy, withCheckpoint } from './memory-log.ts';
import { entriesOf, naiveRoot } from './oracle.ts';

const log = await testKey('log.example');
const trust = { logKeys: [log.key] };
const entries = entriesOf(600);
const { head, source } = memoryLog(entries);
const checkpoint = await openCheckpoint(await signedBy(log, head), trust);
const flip = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, (bytes[at] ?? 0) ^ 1);
const code = (expected: string) => expect.objectContaining({ code: expected });

describe('reading a log', () => {
  it('verifies every entry and tile', async () => {
    const seen: string[] = [];
    await verifyEntries(source, head, (index, entry) => {
      seen.push(`${index} ${utf8Decode(entry)}`);
    });
    expect(seen).toHaveLength(600);
    expect(seen[599]).toBe('599 entry 599');
    const whole = withCheckpoint(source, checkpoint.note);
    expect((await readCheckpoint(whole, trust)).root).toEqual(head.root);
    await verifyEntries(source, memoryLog([]).head);
  });

  it('finds a changed byte in any tile or bundle', async () => {
    for (const [path, at] of [
      ['tile/0/000', 0],
      ['tile/0/002.p/88', 88 * 32 - 1],
      ['tile/1/000.p/2', 40],
      ['tile/entries/000', 5],
      ['tile/entries/002.p/88', 3],
    ] as const) {
      const damaged = memoryLog(entries, (name, bytes) => (name === path ? flip(bytes, at) : bytes));
      await expect(verifyEntries(damaged.source, head), path).rejects.toThrow(code('LOG_TILES_DAMAGED'));
    }
    const other = memoryLog(entries.with(100, entries[0]!));
    await expect(verifyEntries(other.source, head)).rejects.toThrow(code('LOG_TILES_DAMAGED'));
    const missing = { ...source, read: async () => undefined };
    await expect(verifyEntries(missing, head)).rejects.toThrow(code('LOG_UNAVAILABLE'));
    await expect(readCheckpoint(missing, trust)).rejects.toThrow(code('LOG_UNAVAILABLE'));
  });

  it('tells rollback, fork and damage apart', async () => {
    const at = (size: number) => ({ size, root: naiveRoot(entries.slice(0, size)) });
    for (const size of [0, 1, 255, 256, 257, 600]) await checkContinues(source, head, at(size));
    const shorter = memoryLog(entries.slice(0, 400));
    await expect(checkContinues(shorter.source, shorter.head, at(500))).rejects.toThrow(code('LOG_ROLLBACK'));
    const forked = memoryLog(entries.with(300, entries[0]!));
    await expect(checkContinues(forked.source, forked.head, at(400))).rejects.toThrow(code('LOG_FORK'));
    await expect(checkContinues(forked.source, forked.head, at(600))).rejects.toThrow(code('LOG_FORK'));
    // What was forked behind the remembered size is no fork of it.
    await checkContinues(forked.source, forked.head, at(300));
    await expect(checkContinues(forked.source, head, at(300))).rejects.toThrow(code('LOG_TILES_DAMAGED'));
  });

  it('proves consistency between any two sizes', async () => {
    for (const size of [1, 256, 300, 512, 599]) {
      const older = { size, root: naiveRoot(entries.slice(0, size)) };
      const proof = await makeConsistencyProof(source, size, 600);
      await verifyConsistency({ older, newer: head, proof });
    }
  });
});

describe('offline proofs', () => {
  it('carries entry, hashes and checkpoint, and verifies without a log', async () => {
    for (const index of [0, 255, 256, 511, 599]) {
      const proof = await makeProof(source, checkpoint, index);
      expect(proof.startsWith('c2sp.org/tlog-proof@v1\nextra ')).toBe(true);
      const proven = await verifyProof({ proof, trust });
      expect([proven.index, utf8Decode(proven.entry)]).toEqual([index, `entry ${index}`]);
      await verifyProof({ proof, trust, entry: entries[index]! });
    }
    await expect(makeProof(source, checkpoint, 600)).rejects.toThrow(code('LOG_RANGE'));
  });

  it('proves nothing about another entry, another log or another place', async () => {
    const proof = await makeProof(source, checkpoint, 77);
    const other = await testKey('log.example');
    const refused = async (text: string, more = {}): Promise<unknown> =>
      verifyProof({ proof: text, trust, ...more }).catch((error: { code: string }) => error.code);
    expect(await refused(proof, { entry: entries[78]! })).toBe('LOG_INCLUSION');
    expect(await refused(proof.replace('index 77', 'index 78'))).toBe('LOG_INCLUSION');
    expect(await refused(proof.replace('index 77', 'index 7777'))).toBe('LOG_RANGE');
    expect(await refused(proof.replace('\n600\n', '\n601\n'))).toBe('LOG_NOTE_SIGNATURE');
    expect(await refused(proof, { trust: { logKeys: [other.key] } })).toBe('LOG_NOTE_UNSIGNED');
    expect(await refused(proof.replace(/extra .*\n/, ''))).toBe('LOG_PROOF_MALFORMED');
    const hash = proof.split('\n')[4]!;
    expect(await refused(proof.replace(`${hash}\n`, ''))).toBe('LOG_INCLUSION');
  });

  it('reads nothing that is spelt otherwise', async () => {
    const proof = await makeProof(source, checkpoint, 77);
    for (const text of [
      '',
      'c2sp.org/tlog-proof@v1\n',
      proof.replace('@v1', '@v2'),
      proof.replace('index 77', 'index 077'),
      proof.replace('index 77', 'index -1'),
      proof.replace('index 77\n', ''),
      proof.replace('extra ', 'Extra '),
      proof.replace('extra ', 'extra *'),
      proof.replace('index 77\n', 'index 77\nAAAA\n'),
      proof.replace('index 77\n', `index 77\n${`${'A'.repeat(43)}=\n`.repeat(64)}`),
      proof.replace('extra ', `extra ${'A'.repeat(600_000)}`),
    ]) {
      expect(() => parseProof(text), text.slice(0, 60)).toThrow(code('LOG_PROOF_MALFORMED'));
    }
  });
});
