import { fromBase64, toBase64 } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { openCheckpoint, type LogTrust, type VerifiedCheckpoint } from './checkpoint/checkpoint.ts';
import { hashLength, webHasher } from './merkle/hasher.ts';
import { maxProofHashes, verifyInclusion } from './merkle/inclusion.ts';
import { parseSize } from './merkle/sizes.ts';

/** An offline proof as it was written; nothing of it is verified yet. */
export interface LogProof {
  /** Number of the entry, from 0. */
  readonly index: number;
  /** Sibling hashes from the leaf up. */
  readonly hashes: readonly Uint8Array[];
  /** The signed note, as the log gave it. */
  readonly checkpoint: string;
  /** Not authenticated by itself. Proofs of this log carry the entry here, so that one file is enough. */
  readonly extra?: Uint8Array;
}

/** What a proof proved. */
export interface ProvenEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  readonly checkpoint: VerifiedCheckpoint;
}

const header = 'c2sp.org/tlog-proof@v1';
const maxProofLength = 512 * 1024;

/** The text of an offline proof, c2sp.org/tlog-proof. */
export function encodeProof({ index, hashes, checkpoint, extra }: LogProof): string {
  const lines = [
    header,
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...hashes.map(toBase64),
    '',
    checkpoint,
  ];
  return lines.join('\n');
}

/** Reads an offline proof. @throws LOG_PROOF_MALFORMED */
export function parseProof(text: string): LogProof {
  const malformed = (what: string): FastnessError => new FastnessError('LOG_PROOF_MALFORMED', what);
  if (text.length > maxProofLength) throw malformed('It is too long.');
  const blank = text.indexOf('\n\n');
  if (blank < 0) throw malformed('No checkpoint.');
  const [first, ...lines] = text.slice(0, blank).split('\n');
  if (first !== header) throw malformed('Another first line.');
  const extraLine = lines[0]?.startsWith('extra ') === true ? lines.shift() : undefined;
  const indexLine = lines.shift();
  const index = indexLine?.startsWith('index ') === true ? parseSize(indexLine.slice(6)) : undefined;
  if (index === undefined) throw malformed('No index.');
  if (lines.length > maxProofHashes) throw malformed('Too many hashes.');
  try {
    const hashes = lines.map(fromBase64);
    if (hashes.some(({ length }) => length !== hashLength)) throw malformed('A hash does not have 32 bytes.');
    return {
      index,
      hashes,
      checkpoint: text.slice(blank + 2),
      ...(extraLine === undefined ? {} : { extra: fromBase64(extraLine.slice(6)) }),
    };
  } catch (cause) {
    if (cause instanceof FastnessError && cause.code === 'LOG_PROOF_MALFORMED') throw cause;
    throw new FastnessError('LOG_PROOF_MALFORMED', 'A line is not base64.', { cause });
  }
}

/**
 * Verifies an offline proof, without a network: the checkpoint is signed as `trust` asks, and the entry is in its tree.
 * @param options.entry the entry; when absent, what the proof carries beside it, which the proof then shows to be in the log
 * @throws LOG_PROOF_MALFORMED, LOG_INCLUSION, LOG_RANGE, and what `openCheckpoint` throws
 */
export async function verifyProof(options: {
  proof: string;
  trust: LogTrust;
  entry?: Uint8Array;
}): Promise<ProvenEntry> {
  const { index, hashes, checkpoint: note, extra } = parseProof(options.proof);
  const entry = options.entry ?? extra;
  if (entry === undefined) throw new FastnessError('LOG_PROOF_MALFORMED', 'It does not carry its entry.');
  const checkpoint = await openCheckpoint(note, options.trust);
  const { size, root } = checkpoint;
  await verifyInclusion({ index, size, root, proof: hashes, leafHash: await webHasher.leaf(entry) });
  return { index, entry, checkpoint };
}
