import { FastnessError } from '../errors/index.ts';
import { checkValidity } from './checks.ts';
import { checkCriticalExtensions } from './extensions.ts';
import type { Certificate } from './types.ts';
import { verifySignedBy } from './verify.ts';

/** Certificates accepted in one chain. */
const MAX_CHAIN = 8;

/**
 * Verifies a chain, leaf first and root last: every certificate was issued by the next one and is valid now, path
 * lengths hold, and no critical extension is left uninterpreted. The root is taken on trust: the caller has compared
 * its key or its bytes with a pinned one. Revocation is the caller's (`checkNotRevoked`).
 * @param options.understood object identifiers of critical leaf extensions that the caller reads itself
 * @throws CODEC_LIMIT, X509_PATH_LENGTH and what `verifySignedBy` and `checkValidity` throw
 */
export async function verifyChain(options: {
  readonly chain: readonly Certificate[];
  readonly now: Date;
  readonly understood?: readonly string[];
}): Promise<void> {
  const { chain, now, understood } = options;
  const leaf = chain[0];
  if (leaf === undefined || chain.length > MAX_CHAIN) {
    throw new FastnessError('CODEC_LIMIT', `A chain of ${chain.length} certificates.`);
  }
  for (const certificate of chain) checkValidity(certificate, now);
  checkCriticalExtensions(leaf, understood);
  for (const [index, issuer] of chain.entries()) {
    const child = chain[index - 1];
    if (child === undefined) continue;
    // Between this authority and the leaf stand `index - 1` authorities.
    const limit = issuer.basicConstraints?.pathLength;
    if (limit !== undefined && index - 1 > limit) throw new FastnessError('X509_PATH_LENGTH');
    await verifySignedBy(child, issuer);
  }
}
