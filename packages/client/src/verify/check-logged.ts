import type { CheckRecord } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { parseCheckpoint, parseJsonEntry, parseNote, parseProof, parseVerifierKey, verifyProof } from '@fastness/log';
import { z } from 'zod';
import type { ClientPolicy } from '../policy.ts';
import { passed } from './checks.ts';

/** Where the release that an enclave runs was logged. */
export interface LoggedRelease {
  /** Name of the log, as its pinned key says it. */
  readonly origin: string;
  /** Number of the entry, from 0, and entries of the log that the proof is for. */
  readonly index: number;
  readonly size: number;
  /** What was logged: that the key of the release was released, or that a lease for it was renewed. */
  readonly kind: 'key-released' | 'lease-renewed';
  /** Witnesses of the policy that cosigned, and when. */
  readonly cosigned: readonly { readonly name: string; readonly time: Date }[];
}

/** A part of an audit entry; a later broker may write more. */
const entrySchema = z.object({
  kind: z.enum(['key-released', 'lease-renewed']),
  facts: z.object({ releaseDigest: z.string() }),
});

/**
 * Checks what the policy asks of the log: that a pinned log has an entry by which this very release got its key, that enough
 * pinned witnesses cosigned the checkpoint that the proof leads to, and not longer ago than the policy allows. So a release that
 * was made for one victim, or a broker that was made to use it, is in a log that everybody reads, or is refused.
 *
 * Does not show which enclave got the key: the proof comes through the host, and one for another enclave of the release fits too.
 * Throws CLIENT_RELEASE_UNLOGGED, CLIENT_LOG_FOREIGN, CLIENT_LOG_PROOF_OLD, LOG_COSIGNATURES, LOG_ENTRY_UNEXPECTED, LOG_INCLUSION,
 * LOG_NOTE_..., LOG_PROOF_MALFORMED.
 */
export async function checkReleaseLogged(options: {
  readonly policy: ClientPolicy;
  /** c2sp.org/tlog-proof, as the enclave sent it; untrusted. */
  readonly proof: string | undefined;
  readonly releaseDigest: Uint8Array;
  readonly now: Date;
}): Promise<{ readonly logged: LoggedRelease | undefined; readonly checks: CheckRecord[] }> {
  const { policy, proof, now } = options;
  const { transparency } = policy;
  const code = 'CLIENT_RELEASE_UNLOGGED';
  if (transparency === undefined) {
    const expected = 'the policy names no log';
    return { logged: undefined, checks: [{ code, outcome: 'not-applicable', expected, actual: '' }] };
  }
  if (proof === undefined) throw new FastnessError(code);
  const { witnesses, maximumAgeSeconds } = transparency;
  const { origin: claimed } = parseCheckpoint(parseNote(parseProof(proof).checkpoint).text);
  const pinned = await Promise.all(transparency.logKeys.map((text) => parseVerifierKey(text)));
  // Each log by its own keys: those of one must not vouch for another.
  const logKeys = pinned.filter(({ name }) => name === claimed);
  if (logKeys.length === 0) throw new FastnessError('CLIENT_LOG_FOREIGN', `${claimed.slice(0, 255)}.`);
  const keys = await Promise.all((witnesses?.keys ?? []).map((text) => parseVerifierKey(text)));
  const proven = await verifyProof({
    proof,
    trust: { logKeys, ...(witnesses === undefined ? {} : { witnesses: { keys, threshold: witnesses.threshold } }) },
  });
  const { origin, size, verified } = proven.checkpoint;
  const kind = entryKind(proven.entry, proven.index, toHex(options.releaseDigest));
  const cosigned = verified.flatMap(({ key, time }) => (time === undefined ? [] : [{ name: key.name, key, time }]));
  if (witnesses !== undefined && maximumAgeSeconds !== undefined) {
    const since = now.getTime() - maximumAgeSeconds * 1000;
    const recent = cosigned.filter(({ time }) => time.getTime() >= since);
    if (new Set(recent.map(({ key }) => key.publicKey.join())).size < witnesses.threshold) {
      const newest =
        cosigned
          .map(({ time }) => time.toISOString())
          .toSorted()
          .at(-1) ?? 'never';
      throw new FastnessError(
        'CLIENT_LOG_PROOF_OLD',
        `Cosigned ${newest}, at most ${maximumAgeSeconds} s ago asked for.`,
      );
    }
  }
  const by = cosigned.map(({ name }) => name);
  const asked = `in one of ${pinned.length} logs${witnesses === undefined ? '' : `, ${witnesses.threshold} of ${keys.length} witnesses`}`;
  const found = `entry ${proven.index} of ${size}, ${origin}${by.length === 0 ? '' : `, cosigned by ${by.join(', ')}`}`;
  return {
    logged: { origin, index: proven.index, size, kind, cosigned: cosigned.map(({ name, time }) => ({ name, time })) },
    checks: [passed(code, asked, found)],
  };
}

function entryKind(entry: Uint8Array, index: number, releaseDigest: string): LoggedRelease['kind'] {
  const parsed = entrySchema.safeParse(parseJsonEntry(entry, index));
  if (!parsed.success) throw new FastnessError('LOG_ENTRY_UNEXPECTED', `Entry ${index}: no release of a key.`);
  if (parsed.data.facts.releaseDigest !== releaseDigest) {
    throw new FastnessError('LOG_ENTRY_UNEXPECTED', `Entry ${index}: another release.`);
  }
  return parsed.data.kind;
}
