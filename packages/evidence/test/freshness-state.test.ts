import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { equalBytes, utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { swtpmInstalled } from '@fastness/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  encryptingSeal,
  nextHistory,
  openFreshState,
  recordFile,
  signingSeal,
  type AnchorReading,
  type FreshnessAnchor,
  type FreshState,
  type FreshStateOptions,
  type RecordSeal,
} from '../src/freshness/index.ts';
import { codeOf, startTestTpm, type TestTpm } from './support/tpm.ts';

const keys = generateKeyPairSync('ed25519');
const seal: RecordSeal = signingSeal({
  sign: (message) => Promise.resolve(new Uint8Array(sign(null, message, keys.privateKey))),
  verify: (message, signature) => Promise.resolve(verify(null, message, keys.publicKey, signature)),
});

/** An anchor in memory that follows the rules of anchors, and can be made to fail or put elsewhere. */
function memoryAnchor(): FreshnessAnchor & {
  at: AnchorReading | undefined;
  name: string;
  failing: 'no' | 'before' | 'between' | 'after';
} {
  const same = (a: AnchorReading, b: AnchorReading): boolean => a.value === b.value && equalBytes(a.history, b.history);
  return {
    kind: 'database',
    description: 'memory',
    trust: 'none',
    at: undefined,
    name: 'aa'.repeat(32),
    failing: 'no',
    identity() {
      return Promise.resolve(this.at === undefined ? undefined : this.name);
    },
    provision() {
      this.at = { value: 7n, history: new Uint8Array(randomBytes(32)) };
      return Promise.resolve();
    },
    read() {
      if (this.at === undefined) throw new FastnessError('FRESHNESS_ANCHOR_MISSING');
      return Promise.resolve(this.at);
    },
    async advance(expected, digest) {
      const now = await this.read();
      const next = { value: expected.value + 1n, history: nextHistory(expected.history, digest) };
      if (same(now, next)) return next;
      const begun = now.value === expected.value && equalBytes(now.history, next.history);
      if (!same(now, expected) && !begun) throw new FastnessError('FRESHNESS_ANCHOR_MOVED');
      if (this.failing === 'before') throw new Error('down');
      this.at = this.failing === 'between' ? { value: now.value, history: next.history } : next;
      if (this.failing !== 'no') throw new Error('down');
      return next;
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

describe('anchored state', () => {
  let folder: string;
  let path: string;
  let anchor: ReturnType<typeof memoryAnchor>;
  const open = async (changes: Partial<FreshStateOptions> = {}): Promise<FreshState> =>
    await openFreshState({ anchor, store: recordFile(path), seal, empty: false, ...changes });
  const contentOf = ({ content }: FreshState): string | undefined =>
    content === undefined ? undefined : utf8Decode(content);
  const backup = (name: string): void => {
    copyFileSync(path, join(folder, name));
  };
  const restore = (name: string): void => {
    copyFileSync(join(folder, name), path);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-fresh-'));
    path = join(folder, 'record');
    anchor = memoryAnchor();
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  /** State with two steps behind it; backups `one` and `two`. */
  const begin = async (): Promise<FreshState> => {
    const state = await open({ empty: true });
    expect([state.found, contentOf(state)]).toEqual(['new', undefined]);
    await state.advance(utf8Encode('one'));
    backup('one');
    await state.advance(utf8Encode('two'));
    backup('two');
    return state;
  };

  it('is found as it was left', async () => {
    await begin();
    const state = await open();
    expect([state.found, contentOf(state)]).toEqual(['current', 'two']);
    expect((await state.advance(utf8Encode('three'))).value).toBe(10n);
    expect(contentOf(await open())).toBe('three');
  });

  it.each(['before', 'between', 'after'] as const)(
    'is completed when the anchor failed %s its step',
    async (failing) => {
      const state = await begin();
      anchor.failing = failing;
      expect(await codeOf(state.advance(utf8Encode('three')))).toBe('FRESHNESS_UNAVAILABLE');
      anchor.failing = 'no';
      // Nobody knows how far it got, so this process does nothing more.
      expect(await codeOf(state.advance(utf8Encode('four')))).toBe('FRESHNESS_UNAVAILABLE');
      const again = await open();
      expect([again.found, contentOf(again)]).toEqual([failing === 'after' ? 'current' : 'completed', 'three']);
      expect(anchor.at?.value).toBe(10n);
      restore('two');
      expect(await codeOf(open())).toBe('FRESHNESS_STATE_OLDER');
    },
  );

  it('is refused when it is older', async () => {
    await begin();
    restore('one');
    expect(await codeOf(open())).toBe('FRESHNESS_STATE_OLDER');
  });

  it('is refused when it is one of two that were prepared for the same step, and the other one was taken', async () => {
    const first = await begin();
    anchor.failing = 'before';
    await codeOf(first.advance(utf8Encode('this')));
    backup('this');
    restore('two');
    const second = await open();
    await codeOf(second.advance(utf8Encode('that')));
    backup('that');
    anchor.failing = 'no';
    restore('this');
    expect(contentOf(await open())).toBe('this');
    restore('that');
    expect(await codeOf(open())).toBe('FRESHNESS_STATE_FORKED');
    restore('two');
    expect(await codeOf(open())).toBe('FRESHNESS_STATE_OLDER');
  });

  it('is refused when the copy was taken before a step that the anchor began', async () => {
    const state = await begin();
    anchor.failing = 'between';
    await codeOf(state.advance(utf8Encode('three')));
    restore('two');
    expect(await codeOf(open())).toBe('FRESHNESS_STATE_FORKED');
  });

  it('is refused when the anchor went back, by one or by more', async () => {
    const state = await begin();
    const before = anchor.at;
    await state.advance(utf8Encode('three'));
    await state.advance(utf8Encode('four'));
    anchor.at = before;
    expect(await codeOf(open())).toBe('FRESHNESS_STATE_NEWER');
  });

  it('is refused without its record, its anchor, or with another one', async () => {
    await begin();
    rmSync(path);
    expect(await codeOf(open())).toBe('FRESHNESS_RECORD_MISSING');
    expect(await codeOf(open({ empty: true }))).toBe('FRESHNESS_RECORD_MISSING');
    restore('two');
    anchor.name = 'bb'.repeat(32);
    expect(await codeOf(open())).toBe('FRESHNESS_ANCHOR_CHANGED');
    anchor.at = undefined;
    expect(await codeOf(open())).toBe('FRESHNESS_ANCHOR_MISSING');
    rmSync(path);
    expect(await codeOf(open())).toBe('FRESHNESS_RECORD_MISSING');
  });

  it('is refused when its record was changed in any byte, or signed by another key', async () => {
    await begin();
    const bytes = readFileSync(path);
    for (let place = 0; place < bytes.length; place += 1) {
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ 0x20;
      writeFileSync(path, changed);
      expect(await codeOf(open())).toBe('FRESHNESS_RECORD_INVALID');
    }
    writeFileSync(path, bytes.subarray(0, 63));
    expect(await codeOf(open())).toBe('FRESHNESS_RECORD_INVALID');
    const other = generateKeyPairSync('ed25519');
    const stranger = signingSeal({
      sign: (message) => Promise.resolve(new Uint8Array(sign(null, message, other.privateKey))),
      verify: () => Promise.resolve(true),
    });
    const forged = await open({ seal: stranger, adopt: true });
    await forged.advance(utf8Encode('forged'));
    expect(await codeOf(open())).toBe('FRESHNESS_RECORD_INVALID');
  });

  it('can be adopted by a person, and is bound again from there', async () => {
    await begin();
    restore('one');
    const adopted = await open({ adopt: true });
    expect(adopted.found).toBe('adopted');
    await adopted.advance(utf8Encode('adopted'));
    expect(contentOf(await open())).toBe('adopted');
    restore('two');
    expect(await codeOf(open())).toBe('FRESHNESS_STATE_OLDER');
    anchor.at = undefined;
    expect((await open({ adopt: true })).found).toBe('adopted');
  });

  it('takes one step at a time, and no content that is too large', async () => {
    const state = await begin();
    const both = await Promise.all([codeOf(state.advance(utf8Encode('a'))), codeOf(state.advance(utf8Encode('b')))]);
    expect(both).toEqual(['done', 'FRESHNESS_UNAVAILABLE']);
    expect(await codeOf(state.advance(new Uint8Array(65 * 1024)))).toBe('FRESHNESS_UNAVAILABLE');
  });

  it('can be secret: encrypted, it shows nothing and opens under its key alone', async () => {
    const secret = { seal: encryptingSeal(randomBytes(32)) };
    const state = await open({ ...secret, empty: true });
    await state.advance(utf8Encode('a sealed sentence'));
    expect(readFileSync(path, 'latin1')).not.toMatch(/sealed|fastness/);
    expect(contentOf(await open(secret))).toBe('a sealed sentence');
    expect(await codeOf(open({ seal: encryptingSeal(randomBytes(32)) }))).toBe('FRESHNESS_RECORD_INVALID');
    const bytes = readFileSync(path);
    for (const place of [0, 12, 28, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[place] = (changed[place] ?? 0) ^ 1;
      writeFileSync(path, changed);
      expect(await codeOf(open(secret))).toBe('FRESHNESS_RECORD_INVALID');
    }
  });
});

// A real TPM 2.0 emulator and real kills; where Debian's swtpm is not installed, this does not run.
describe.skipIf(!swtpmInstalled)('anchored state of a process that is killed', () => {
  let world: TestTpm;
  beforeEach(async () => {
    world = await startTestTpm();
    await world.tpm.close();
  });
  afterEach(() => world.end());

  it(
    'at every step of its way loses nothing that it acknowledged, and never goes back',
    { timeout: 240_000 },
    async () => {
      const script = fileURLToPath(new URL('support/advance-until-killed.ts', import.meta.url));
      const key = keys.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('hex');
      const run = async (path: string, step: number): Promise<string[]> => {
        const child = spawn(
          process.execPath,
          [
            '--disable-warning=ExperimentalWarning',
            '--conditions=source',
            script,
            world.emulator.socketPath,
            path,
            key,
            `${step}`,
          ],
          { stdio: ['ignore', 'pipe', 'inherit'] },
        );
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        await new Promise((resolve) => child.once('close', resolve));
        return text.trim().split('\n');
      };
      const path = join(world.directory, 'record');
      // The first run makes the anchor: killed in there, a person has to look.
      expect((await run(path, 0)).at(-1)).toBe('end');
      let acknowledged = 3;
      const found = new Set<string>();
      // The steps of starting and of one advance are fewer than this; then the last ones repeat.
      for (let step = 1; step <= 44; step += 1) {
        const lines = await run(path, step);
        for (const line of lines) {
          const [word, number = '', how = ''] = line.split(' ');
          if (word === 'found') {
            found.add(how);
            // What was acknowledged is there; at most one step more, which was begun.
            expect([acknowledged, acknowledged + 1]).toContain(Number(number));
            acknowledged = Number(number);
          }
          if (word === 'acknowledged') acknowledged = Number(number);
        }
      }
      const last = await run(path, 0);
      expect(last.at(-1)).toBe('end');
      expect(found).toEqual(new Set(['current', 'completed']));
    },
  );
});
