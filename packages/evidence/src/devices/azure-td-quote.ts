import { concatBytes, fromBase64Url, toBase64Url, utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/** Azure's metadata service quotes reports of TDX guests; it is reached without TLS, on a link that ends in the host. */
const AZURE_TD_QUOTE = 'http://169.254.169.254/acc/tdquote';
const TIMEOUT_MS = 20_000;
const MAX_ANSWER = 65_536;
const answered = z.object({ quote: z.string().max(MAX_ANSWER) });

/**
 * A quote for a TDREPORT, from Azure's metadata service.
 * @throws EVIDENCE_UNREACHABLE, EVIDENCE_REFUSED, EVIDENCE_RESPONSE
 */
export async function fetchTdQuote(
  report: Uint8Array,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<Uint8Array> {
  let answer: Response;
  let text: Uint8Array;
  try {
    answer = await fetch(AZURE_TD_QUOTE, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ report: toBase64Url(report) }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await bodyOf(answer);
  } catch (cause) {
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('EVIDENCE_UNREACHABLE', `${AZURE_TD_QUOTE} does not answer.`, { cause });
  }
  if (!answer.ok) throw new FastnessError('EVIDENCE_REFUSED', `${AZURE_TD_QUOTE}: status ${answer.status}.`);
  try {
    return fromBase64Url(answered.parse(JSON.parse(utf8Decode(text))).quote.replace(/=+$/, ''));
  } catch (cause) {
    throw new FastnessError('EVIDENCE_RESPONSE', `${AZURE_TD_QUOTE}: no quote.`, { cause });
  }
}

async function bodyOf(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of answer.body ?? []) {
    total += part.length;
    if (total > MAX_ANSWER)
      throw new FastnessError('EVIDENCE_RESPONSE', `${AZURE_TD_QUOTE}: more than ${MAX_ANSWER} bytes.`);
    parts.push(part);
  }
  return concatBytes(...parts);
}
