import { cmwFromJson, cmwToJson, evidenceFromJson } from '@fastness/attest';
import { attestationBundleSchema, parseWire } from '@fastness/channel/wire';
import type { CompleteClientEndorsements } from './client.ts';

/**
 * The answer of an enclave with the endorsements that `complete` returns in place of those it sent. The bundle becomes part
 * of receipts, which can then be verified offline. @throws CHANNEL_WIRE_MALFORMED and what `complete` throws
 */
export async function completeBundle(
  answered: unknown,
  complete: CompleteClientEndorsements,
  signal: AbortSignal,
): Promise<unknown> {
  const bundle = parseWire(attestationBundleSchema, answered);
  const given = bundle.endorsements.map((endorsement) => cmwFromJson(endorsement));
  const endorsements = await complete(evidenceFromJson(bundle.evidence), given, signal);
  return { ...bundle, endorsements: endorsements.map((endorsement) => cmwToJson(endorsement)) };
}
