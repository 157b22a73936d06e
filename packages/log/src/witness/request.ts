import { fromBase64, toBase64, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { hashLength } from '../merkle/hasher.ts';
import { maxProofHashes } from '../merkle/inclusion.ts';
import { parseSize } from '../merkle/sizes.ts';

/** Body of `POST add-checkpoint`, c2sp.org/tlog-witness. */
export interface AddCheckpointRequest {
  /** Where the witness is thought to stand. */
  readonly oldSize: number;
  /** Consistency proof from there to the checkpoint. */
  readonly proof: readonly Uint8Array[];
  /** The signed note. */
  readonly checkpoint: string;
}

/** Bytes of the longest request that is read. */
export const maxWitnessRequest = 64 * 1024;

/** Content type of the answer that names the size a witness stands at. */
export const sizeMediaType = 'text/x.tlog.size';

export function encodeAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpointRequest): Uint8Array {
  return utf8Encode([`old ${oldSize}`, ...proof.map(toBase64), '', checkpoint].join('\n'));
}

/** @throws LOG_WITNESS_REQUEST */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpointRequest {
  const malformed = (what: string, cause?: unknown): FastnessError =>
    new FastnessError('LOG_WITNESS_REQUEST', what, { cause });
  if (body.length > maxWitnessRequest) throw malformed('It is too long.');
  let text: string;
  try {
    text = utf8Decode(body);
  } catch (cause) {
    throw malformed('Not UTF-8.', cause);
  }
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw malformed('No checkpoint.');
  const [first = '', ...lines] = text.slice(0, blank).split('\n');
  const oldSize = first.startsWith('old ') ? parseSize(first.slice(4)) : undefined;
  if (oldSize === undefined) throw malformed('No old size.');
  if (lines.length > maxProofHashes) throw malformed('Too many hashes.');
  let proof: Uint8Array[];
  try {
    proof = lines.map(fromBase64);
  } catch (cause) {
    throw malformed('A hash is not base64.', cause);
  }
  if (proof.some(({ length }) => length !== hashLength)) throw malformed('A hash does not have 32 bytes.');
  return { oldSize, proof, checkpoint: text.slice(blank + 2) };
}
