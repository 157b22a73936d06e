import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { equalBytes, fromHex, toHex, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { nextHistory, type AnchorReading, type FreshnessAnchor } from '@fastness/evidence/freshness';
import { collectCosignatures, parseProof, type SignEd25519, type VerifierKey } from '@fastness/log';
import { openTileLog } from '@fastness/log/node';
import type { BrokerWitnesses } from '../audit/witnesses.ts';

export interface WitnessedAnchorOptions {
  /** Folder of the anchor's own log. It may be put back: what counts is what the witnesses saw. */
  readonly directory: string;
  /** Its name is the origin that the witnesses watch. */
  readonly key: VerifierKey;
  readonly sign: SignEd25519;
  readonly witnesses: BrokerWitnesses;
  readonly report?: (error: unknown) => void;
}

/** One line each: what it is, the number, the history, and random bytes. */
const leafPattern = /^fastness\/freshness-step\/v1\n(?<value>[1-9]\d{0,19})\n(?<history>[0-9a-f]{64})\n[0-9a-f]{64}\n$/;

/**
 * An anchor that is a small transparency log, of which witnesses on other machines cosign every checkpoint. An entry is where
 * the anchor stands: number, history, and fresh random bytes.
 *
 * To read it, an entry is appended and cosigned. Nobody has seen that entry before, so no cosignature of an earlier time fits
 * its tree, and each witness cosigns it only when it continues the last tree that it cosigned. A majority did so at every step
 * before, so at least one of those who answer knows the newest: a log that was put back is refused by it. The network and
 * the clock of this machine may be the attacker's.
 *
 * Not protected against: as many witnesses that forget or cheat as a majority has more than half (threshold times two, less
 * all of them); who holds the broker's key, and asks the witnesses in its place.
 * Throws FRESHNESS_CONFIG, and what `openTileLog` throws.
 */
export async function openWitnessedAnchor(options: WitnessedAnchorOptions): Promise<FreshnessAnchor> {
  const { directory, key, sign, witnesses, report = () => {} } = options;
  const { threshold, witnesses: all, timeoutMs, patienceMs, fetch } = witnesses;
  if (threshold * 2 <= all.length) {
    throw new FastnessError('FRESHNESS_CONFIG', `${threshold} of ${all.length} witnesses are no majority.`);
  }
  const log = await openTileLog({ directory, key, sign, report });
  const sizes = new Map<string, number>();
  const where = `${threshold} of ${all.length} witnesses of ${key.text}`;

  const leafAt = async (index: number): Promise<Uint8Array> =>
    parseProof(await log.prove(index)).extra ?? new Uint8Array(0);
  const local = async (): Promise<AnchorReading | undefined> => {
    if (log.size === 0) return undefined;
    const { value, history } = leafPattern.exec(utf8Decode(await leafAt(log.size - 1)))?.groups ?? {};
    if (value === undefined || history === undefined) throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', where);
    return { value: BigInt(value), history: fromHex(history) };
  };
  const append = async ({ value, history }: AnchorReading): Promise<void> => {
    const nonce = randomBytes(32).toString('hex');
    await log.append([utf8Encode(`fastness/freshness-step/v1\n${value}\n${toHex(history)}\n${nonce}\n`)]);
  };
  /** `refused` is what it means that witnesses know another log than this one. */
  const confirm = async (refused: 'FRESHNESS_STATE_OLDER' | 'FRESHNESS_ANCHOR_MOVED'): Promise<void> => {
    const checkpoint = await log.checkpoint();
    const prove = (oldSize: number) => log.proveConsistency(oldSize, checkpoint.size);
    const begun = performance.now();
    for (;;) {
      try {
        await collectCosignatures({ quorum: witnesses, checkpoint, sizes, prove, fetch, timeoutMs });
        return;
      } catch (cause) {
        const conflicts = conflictsIn(cause);
        const final = conflicts > all.length - threshold || performance.now() - begun >= patienceMs;
        if (final) {
          const detail = cause instanceof FastnessError ? cause.detail : undefined;
          throw new FastnessError(conflicts > 0 ? refused : 'FRESHNESS_UNAVAILABLE', detail, { cause });
        }
        report(cause);
      }
      await pause(Math.min(1000, patienceMs));
    }
  };

  return {
    kind: 'witnessed-checkpoint',
    description: where,
    trust: 'as good as the witnesses: a majority of them would have to forget or cheat',
    async identity() {
      if (log.size === 0) return undefined;
      const first = await leafAt(0);
      return createHash('sha256').update(`fastness/witnessed-anchor/v1\n${key.name}\n`).update(first).digest('hex');
    },
    async provision() {
      if (log.size > 0) throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', `There is an anchor: ${where}.`);
      await append({ value: 1n, history: randomBytes(32) });
      await confirm('FRESHNESS_STATE_OLDER');
    },
    async read() {
      const now = await local();
      if (now === undefined) throw new FastnessError('FRESHNESS_ANCHOR_MISSING', where);
      await append(now);
      await confirm('FRESHNESS_STATE_OLDER');
      return now;
    },
    async advance(expected, digest) {
      const next = { value: expected.value + 1n, history: nextHistory(expected.history, digest) };
      const now = await local();
      if (now === undefined) throw new FastnessError('FRESHNESS_ANCHOR_MISSING', where);
      if (!same(now, next) && !same(now, expected)) {
        throw new FastnessError('FRESHNESS_ANCHOR_MOVED', `Expected ${expected.value}, found ${now.value}.`);
      }
      // Also when it is there already: whether it was cosigned is not known.
      await append(next);
      await confirm('FRESHNESS_ANCHOR_MOVED');
      return next;
    },
    [Symbol.asyncDispose]: () => log.close(),
  };
}

function same(a: AnchorReading, b: AnchorReading): boolean {
  return a.value === b.value && equalBytes(a.history, b.history);
}

/** How many witnesses know a log that this one does not continue. */
function conflictsIn(error: unknown): number {
  if (!(error instanceof Error) || !(error.cause instanceof AggregateError)) throw error;
  return error.cause.errors.filter(
    (each: unknown) =>
      each instanceof FastnessError && ['LOG_WITNESS_CONFLICT', 'LOG_WITNESS_INCONSISTENT'].includes(each.code),
  ).length;
}
