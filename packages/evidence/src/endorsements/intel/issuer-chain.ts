import { decodePem } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { HttpAnswer } from '../http/answer.ts';
import { withoutQuery } from '../http/url.ts';

/** A chain is three certificates at most. */
const MAX_HEADER = 32_768;
const MAX_CERTIFICATES = 3;

/**
 * The certificates that Intel sends in a header, as percent-encoded PEM. `names` are the names that the header had in the
 * versions of the service and of the PCCS. Throws ENDORSEMENT_RESPONSE.
 */
export function issuerChainOf({ headers, url }: HttpAnswer, names: readonly string[]): Uint8Array[] {
  const value = names.map((name) => headers.get(name)).find((found) => found !== null) ?? undefined;
  const fault = (why: string, cause?: unknown) =>
    new FastnessError('ENDORSEMENT_RESPONSE', `${withoutQuery(url)}: ${why}.`, { cause });
  if (value === undefined || value.length > MAX_HEADER) throw fault(`no header ${names[0] ?? ''}`);
  try {
    return decodePem(decodeURIComponent(value), 'CERTIFICATE', { maxBlocks: MAX_CERTIFICATES });
  } catch (cause) {
    throw fault(`header ${names[0] ?? ''} is not a chain in PEM`, cause);
  }
}
