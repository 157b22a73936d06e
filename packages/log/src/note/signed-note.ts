import { concatBytes, fromBase64, fromHex, toBase64, toHex, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { cosignedMessage, readTimestamp } from './cosigned-message.ts';
import { ed25519Verifies, isKeyName, type VerifierKey } from './verifier-key.ts';

/** Signs a message with Ed25519 (64 bytes); the private key stays with whoever gives this function. */
export type SignEd25519 = (message: Uint8Array) => Promise<Uint8Array>;

/** A signature line, unverified: anybody may have written it. */
export interface SignatureLine {
  readonly name: string;
  /** Key id, hex. */
  readonly id: string;
  readonly signature: Uint8Array;
}

/** A signed note as it was written; nothing of it is verified yet. */
export interface SignedNote {
  /** With the newline that ends it. */
  readonly text: string;
  readonly signatures: readonly SignatureLine[];
}

/** A signature that was verified with a key that the caller named. */
export interface VerifiedSignature {
  readonly key: VerifierKey;
  /** When a witness signed; absent in a plain signature. */
  readonly time?: Date;
}

/** A note that at least one known key signed. */
export interface OpenNote {
  readonly text: string;
  readonly verified: readonly VerifiedSignature[];
}

const maxNoteLength = 256 * 1024;
const maxSignatures = 64;
const signatureLine = /^\u2014 (?<name>[^ ]+) (?<base64>[A-Za-z0-9+/=]+)$/u;
// oxlint-disable-next-line no-control-regex
const forbidden = /[\u0000-\u0009\u000b-\u001f]/;

/**
 * Reads a signed note, c2sp.org/signed-note: text, an empty line, signature lines. Up to 64 signatures and 256 Ki
 * characters. @throws LOG_NOTE_MALFORMED
 */
export function parseNote(note: string): SignedNote {
  const malformed = (what: string): FastnessError => new FastnessError('LOG_NOTE_MALFORMED', what);
  if (note.length > maxNoteLength) throw malformed('It is too long.');
  if (forbidden.test(note) || !note.isWellFormed()) throw malformed('It holds characters that no note has.');
  const split = note.lastIndexOf('\n\n');
  if (split < 0 || !note.endsWith('\n')) throw malformed('No empty line in front of signatures.');
  const lines = note
    .slice(split + 2)
    .split('\n')
    .slice(0, -1);
  if (lines.length === 0) throw malformed('No signature.');
  if (lines.length > maxSignatures) throw malformed('Too many signatures.');
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

/** Reads one signature line, without its newline. @throws LOG_NOTE_MALFORMED */
export function parseSignatureLine(line: string): SignatureLine {
  const { name = '', base64 = '' } = signatureLine.exec(line)?.groups ?? {};
  if (!isKeyName(name)) throw new FastnessError('LOG_NOTE_MALFORMED', 'A line is no signature.');
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(base64);
  } catch (cause) {
    throw new FastnessError('LOG_NOTE_MALFORMED', 'A signature is not base64.', { cause });
  }
  if (bytes.length < 5) throw new FastnessError('LOG_NOTE_MALFORMED', 'A signature is too short.');
  return { name, id: toHex(bytes.subarray(0, 4)), signature: bytes.slice(4) };
}

/** A signature line with its newline. */
export function encodeSignatureLine({ name, id, signature }: SignatureLine): string {
  return `\u2014 ${name} ${toBase64(concatBytes(fromHex(id), signature))}\n`;
}

/**
 * Verifies a note with the keys that the caller trusts. Signatures of other keys are ignored; one of a known key that does
 * not verify spoils the note; a second one of the same key is not looked at.
 * @throws LOG_NOTE_MALFORMED, LOG_NOTE_SIGNATURE, LOG_NOTE_UNSIGNED
 */
export async function openNote(note: string, keys: readonly VerifierKey[]): Promise<OpenNote> {
  const { text, signatures } = parseNote(note);
  const verified: VerifiedSignature[] = [];
  for (const line of signatures) {
    const key = keys.find(({ name, id }) => name === line.name && id === line.id);
    if (key === undefined || verified.some((earlier) => earlier.key === key)) continue;
    verified.push(await verifySignature(key, text, line.signature));
  }
  if (verified.length === 0) throw new FastnessError('LOG_NOTE_UNSIGNED');
  return { text, verified };
}

async function verifySignature(key: VerifierKey, text: string, signature: Uint8Array): Promise<VerifiedSignature> {
  const wrong = (): FastnessError => new FastnessError('LOG_NOTE_SIGNATURE', `Key ${key.name}+${key.id}.`);
  if (key.algorithm === 'ed25519') {
    if (!(await ed25519Verifies(key.publicKey, utf8Encode(text), signature))) throw wrong();
    return { key };
  }
  const timestamp = readTimestamp(signature);
  if (timestamp === undefined) throw wrong();
  const message = cosignedMessage(text, timestamp);
  if (!(await ed25519Verifies(key.publicKey, message, signature.subarray(8)))) throw wrong();
  return { key, time: new Date(timestamp * 1000) };
}

/** Signs a text (which ends in a newline) with an Ed25519 note key; gives the whole note. */
export async function signNote(options: { text: string; key: VerifierKey; sign: SignEd25519 }): Promise<string> {
  const { text, key, sign } = options;
  if (key.algorithm !== 'ed25519') throw new FastnessError('LOG_KEY_MALFORMED', 'It is the key of a witness.');
  const signature = await sign(utf8Encode(text));
  const note = `${text}\n${encodeSignatureLine({ ...key, signature })}`;
  parseNote(note);
  return note;
}
