import { fromBase64, toBase64 } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { hashLength } from '../merkle/hasher.ts';
import type { TreeHead } from '../merkle/consistency.ts';
import { parseSize } from '../merkle/sizes.ts';
import { openNote, signNote, type SignEd25519, type VerifiedSignature } from '../note/signed-note.ts';
import type { VerifierKey } from '../note/verifier-key.ts';

/** What a log says of itself: who it is, how many entries it has and the root over them (c2sp.org/tlog-checkpoint). */
export interface Checkpoint extends TreeHead {
  readonly origin: string;
  /** Further lines, which nobody can audit; this log writes none. */
  readonly extensions: readonly string[];
}

/** A checkpoint that its log signed. Only `openCheckpoint` makes one. */
export interface VerifiedCheckpoint extends Checkpoint {
  /** Every known key that signed: the log first. */
  readonly verified: readonly VerifiedSignature[];
  /** The whole signed note, for keeping. */
  readonly note: string;
}

/** Whom to believe about a log. */
export interface LogTrust {
  /** First line of its checkpoints; the name of its key unless it is said. */
  readonly origin?: string;
  /** Keys of the log; one of them has to have signed. */
  readonly logKeys: readonly VerifierKey[];
  /** Witnesses, and how many of them have to have cosigned. Absent: none has to. */
  readonly witnesses?: { readonly keys: readonly VerifierKey[]; readonly threshold: number };
}

/** The text of a checkpoint. @throws LOG_CHECKPOINT_MALFORMED */
export function encodeCheckpoint(checkpoint: Omit<Checkpoint, 'extensions'>): string {
  const text = `${checkpoint.origin}\n${checkpoint.size}\n${toBase64(checkpoint.root)}\n`;
  parseCheckpoint(text);
  return text;
}

/** Reads the text of a checkpoint; says nothing about who wrote it. @throws LOG_CHECKPOINT_MALFORMED */
export function parseCheckpoint(text: string): Checkpoint {
  const malformed = (what: string): FastnessError => new FastnessError('LOG_CHECKPOINT_MALFORMED', what);
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.length < 3) throw malformed('It has fewer than three lines.');
  const [origin = '', sizeText = '', rootText = '', ...extensions] = lines;
  if (origin === '' || extensions.includes('')) throw malformed('A line is empty.');
  const size = parseSize(sizeText);
  if (size === undefined) throw malformed('The second line is no size.');
  let root: Uint8Array;
  try {
    root = fromBase64(rootText);
  } catch (cause) {
    throw new FastnessError('LOG_CHECKPOINT_MALFORMED', 'The third line is not base64.', { cause });
  }
  if (root.length !== hashLength) throw malformed('The root does not have 32 bytes.');
  return { origin, size, root, extensions };
}

/** Signs a checkpoint with the key of the log. */
export async function signCheckpoint(options: {
  checkpoint: Omit<Checkpoint, 'extensions'>;
  key: VerifierKey;
  sign: SignEd25519;
}): Promise<string> {
  return await signNote({ text: encodeCheckpoint(options.checkpoint), key: options.key, sign: options.sign });
}

/**
 * Verifies a checkpoint: its origin, a signature of a key of the log, and the cosignatures that `trust` asks for. Says
 * nothing about how old it is, nor whether it fits others.
 * @throws LOG_NOTE_*, LOG_CHECKPOINT_MALFORMED, LOG_ORIGIN, LOG_COSIGNATURES
 */
export async function openCheckpoint(note: string, trust: LogTrust): Promise<VerifiedCheckpoint> {
  const { logKeys, witnesses } = trust;
  const origin = trust.origin ?? logKeys[0]?.name;
  if (logKeys.some(({ algorithm }) => algorithm !== 'ed25519')) {
    throw new FastnessError('LOG_KEY_MALFORMED', 'A witness key where the key of the log belongs.');
  }
  const opened = await openNote(note, [...logKeys, ...(witnesses?.keys ?? [])]);
  const byLog = opened.verified.filter(({ key }) => logKeys.includes(key));
  const byWitnesses = opened.verified.filter(({ key }) => !logKeys.includes(key));
  if (byLog.length === 0) throw new FastnessError('LOG_NOTE_UNSIGNED', 'Witnesses signed it, the log did not.');
  const checkpoint = parseCheckpoint(opened.text);
  if (checkpoint.origin !== origin) throw new FastnessError('LOG_ORIGIN', `Expected ${origin ?? 'none'}.`);
  // One key under several names is still one witness.
  const distinct = new Set(byWitnesses.map(({ key }) => key.publicKey.join()));
  if (witnesses !== undefined && distinct.size < witnesses.threshold) {
    throw new FastnessError('LOG_COSIGNATURES', `${distinct.size} of ${witnesses.threshold}.`);
  }
  return Object.freeze({ ...checkpoint, verified: [...byLog, ...byWitnesses], note });
}
