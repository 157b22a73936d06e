import { Checklist } from '../../checks.ts';
import { readAttest } from './attest.ts';
import { readSignature } from './signature.ts';
import { ParsedQuote } from './stages.ts';

/** Bytes of either structure; genuine ones have a few hundred. */
const MAX_BYTES = 2048;

/**
 * Reads a quote: `attest` is the TPMS_ATTEST that was signed, `signature` the TPMT_SIGNATURE over it. Says nothing about
 * whether it is genuine. Throws TPM_SIZE and what `readAttest` and `readSignature` throw.
 */
export function parse(quote: { readonly attest: Uint8Array; readonly signature: Uint8Array }): ParsedQuote {
  const checks: Checklist = new Checklist([]);
  const longest = Math.max(quote.attest.length, quote.signature.length);
  checks.require('TPM_SIZE', longest <= MAX_BYTES, { expected: `at most ${MAX_BYTES} bytes`, actual: `${longest}` });
  // Private copies: the caller's buffers may change while the signature is being verified.
  const message = quote.attest.slice();
  const read = readAttest(message, checks);
  const signature = readSignature(quote.signature.slice(), checks);
  return new ParsedQuote({ quote: read, checks: checks.results().checks }, { message, signature });
}
