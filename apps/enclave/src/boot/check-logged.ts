import { FastnessError } from '@fastness/codec/errors';
import { parseCheckpoint, parseJsonEntry, parseNote, parseProof, parseVerifierKey, verifyProof } from '@fastness/log';
import { z } from 'zod';

/** What the broker logged has to be this: a part of an audit entry, of which a later version may write more. */
const entrySchema = z.object({
  kind: z.string(),
  facts: z.object({
    releaseDigest: z.string(),
    leaseId: z.string(),
    keyConfigDigest: z.string().optional(),
    keyShare: z.object({ setId: z.string(), index: z.number() }).optional(),
  }),
});

/**
 * Checks that the broker's transparency log has the release of the key, or the renewal, that is being answered: the proof leads
 * to a checkpoint under a key that the owner signed into the release, and the entry names this lease. So a broker that
 * is made to hand out a key cannot do it without leaving the entry for everybody who reads the log.
 *
 * Does not show that the log is the same for everybody: that is what witnesses and those who read it are for.
 * Throws LOG_PROOF_MISSING, LOG_ENTRY_UNEXPECTED, and what `verifyProof` throws.
 */
export async function checkLogged(options: {
  proof: string | undefined;
  /** The logs that the release names: the entry has to be in one of them. */
  logKeys: readonly string[];
  renewal: boolean;
  /** Hex. */
  releaseDigest: string;
  leaseId: string;
  /** Hex. */
  keyConfigDigest: string;
  /** The share of the broker; undefined when it has the whole key. */
  keyShare?: { readonly setId: string; readonly index: number } | undefined;
}): Promise<void> {
  if (options.proof === undefined) throw new FastnessError('LOG_PROOF_MISSING');
  const { origin } = parseCheckpoint(parseNote(parseProof(options.proof).checkpoint).text);
  const named = await Promise.all(options.logKeys.map((text) => parseVerifierKey(text)));
  // Each log by its own keys: those of one must not vouch for another.
  const trust = { logKeys: named.filter(({ name }) => name === origin), origin };
  const { entry, index } = await verifyProof({ proof: options.proof, trust });
  const unexpected = (what: string): FastnessError =>
    new FastnessError('LOG_ENTRY_UNEXPECTED', `Entry ${index}: ${what}.`);
  const parsed = entrySchema.safeParse(parseJsonEntry(entry, index));
  if (!parsed.success) throw unexpected('no audit entry');
  const { kind, facts } = parsed.data;
  if (kind !== (options.renewal ? 'lease-renewed' : 'key-released')) throw unexpected(`of kind ${kind.slice(0, 32)}`);
  if (facts.releaseDigest !== options.releaseDigest) throw unexpected('another release');
  if (facts.leaseId !== options.leaseId) throw unexpected('another lease');
  if (!options.renewal && facts.keyConfigDigest !== options.keyConfigDigest) throw unexpected('another key');
  if (facts.keyShare?.setId !== options.keyShare?.setId || facts.keyShare?.index !== options.keyShare?.index) {
    throw unexpected('another share');
  }
}
