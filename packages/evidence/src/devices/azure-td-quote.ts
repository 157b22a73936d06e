import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { postJson } from './post-json.ts';

/** Azure's metadata service quotes reports of TDX guests; it is reached without TLS, on a link that ends in the host. */
const AZURE_TD_QUOTE = 'http://169.254.169.254/acc/tdquote';
const answered = z.object({ quote: z.string() });

/**
 * A quote for a TDREPORT, from Azure's metadata service.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE
 */
export async function fetchTdQuote(
  report: Uint8Array,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<Uint8Array> {
  const answer = await postJson(AZURE_TD_QUOTE, { report: toBase64Url(report) }, { fetch });
  try {
    return fromBase64Url(answered.parse(answer).quote.replace(/=+$/, ''));
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${AZURE_TD_QUOTE}: no quote.`, { cause });
  }
}
