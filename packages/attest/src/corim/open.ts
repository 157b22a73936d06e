import { toHex } from '@fastness/codec';
import { decodeSign1, type Sign1 } from '@fastness/codec/cose';
import { FastnessError } from '@fastness/codec/errors';
import { parseSpki } from '@fastness/codec/x509';
import { coseSignatures, keyFits, sign1Holds } from '../cose-signatures.ts';
import { endorsementVerifier, readOnce, type VerificationMeans } from '../means.ts';
import { requireTime } from '../time.ts';
import { corimError } from './fields.ts';
import { readCorimHeader } from './header.ts';
import { corimLimits, corimTags, MAX_CORIM_BYTES, MAX_SIGNERS } from './layout.ts';
import { isValidAt, readCorim } from './read.ts';
import type { Corim } from './types.ts';

/** A manifest somebody answers for. */
export interface OpenedCorim {
  readonly corim: Corim;
  /**
   * SHA-256 of the SubjectPublicKeyInfo of the pinned key that signed it, hex; `caller` when it is unsigned and the caller
   * answers for it.
   */
  readonly endorser: string;
  /** What the signer calls itself. Absent when unsigned. */
  readonly signerName?: string;
}

export interface OpenCorimOptions extends VerificationMeans {
  /** The manifest: tag 501, or COSE_Sign1 with tag 18 around one. At most 1 MiB. */
  readonly corim: Uint8Array;
  /** Keys of whom the caller trusts to sign it: SubjectPublicKeyInfo, DER; at most 16. */
  readonly signers?: readonly Uint8Array[];
  /**
   * `caller` accepts an unsigned manifest: the caller vouches for where it came from, as for a policy (draft-ietf-rats-corim,
   * section 4.3). Never pass it for what came with evidence. Absent: an unsigned manifest is refused.
   */
  readonly unsigned?: 'caller';
  /** The time as of which the manifest and its signature must be valid. */
  readonly now: Date;
}

/**
 * Reads a manifest and establishes who answers for it. A signed one (COSE_Sign1 with ES256, ES384, ES512 or Ed25519) must be
 * signed by one of `signers`; `x5chain` and key ids in it are not followed. Signature and manifest must be valid at `now`.
 * Manifests are not revoked and have no versions that could be compared: an older one stays good until its validity ends.
 *
 * Throws CORIM_* (see the table), CODEC_*, COSE_*, X509_KEY, ATTEST_ARGUMENT_INVALID.
 */
export async function openCorim(options: OpenCorimOptions): Promise<OpenedCorim> {
  return openWith(options, (manifest) => readOnce('corim', manifest, (bytes) => readCorim(bytes, () => {}), options));
}

/** As {@link openCorim}. `read`: called with what somebody answers for. */
export async function openWith(options: OpenCorimOptions, read: (manifest: Uint8Array) => Corim): Promise<OpenedCorim> {
  const { signers = [], unsigned } = options;
  const now = requireTime(options.now);
  if (!(options.corim instanceof Uint8Array)) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', 'corim must be bytes.');
  }
  if (signers.length > MAX_SIGNERS) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `At most ${MAX_SIGNERS} signers.`);
  }
  const bytes = options.corim.slice();
  if (bytes.length === 0 || bytes.length > MAX_CORIM_BYTES) throw corimError('CORIM_SIZE', `${bytes.length} bytes.`);
  const { manifest, ...origin } = isSigned(bytes)
    ? await openSigned(bytes, signers, { ...options, now })
    : { manifest: requireCaller(bytes, unsigned), endorser: 'caller' };
  const corim = read(manifest);
  if (corim.validity !== undefined && !isValidAt(corim.validity, now)) {
    throw corimError('CORIM_VALIDITY', `The manifest ends at ${timeOf(corim.validity.notAfter)}.`);
  }
  return Object.freeze({ corim, ...origin });
}

/** Tags in their shortest form, as CBOR here wants them. */
const SIGNED = 0xc0 + corimTags.sign1;
const UNSIGNED = [0xd9, corimTags.unsignedCorim >> 8, corimTags.unsignedCorim & 0xff];

function isSigned(bytes: Uint8Array): boolean {
  return bytes[0] === SIGNED;
}

/** What nobody signed is not even read unless the caller answers for it. */
function requireCaller(bytes: Uint8Array, unsigned: 'caller' | undefined): Uint8Array {
  const isCorim = UNSIGNED.every((byte, index) => bytes[index] === byte);
  if (!isCorim) throw corimError('CORIM_TYPE', 'Another tag or none.');
  if (unsigned !== 'caller') throw corimError('CORIM_UNSIGNED', 'Nobody answers for it.');
  return bytes;
}

async function openSigned(
  bytes: Uint8Array,
  signers: readonly Uint8Array[],
  { now, ...means }: OpenCorimOptions,
): Promise<Omit<OpenedCorim, 'corim'> & { readonly manifest: Uint8Array }> {
  const message = decodeSign1(bytes, { limits: corimLimits });
  const { name, validity } = readCorimHeader(message);
  const { payload } = message;
  if (payload === null || payload.length === 0) throw corimError('CORIM_PAYLOAD', 'No payload.');
  const endorser = await signerOf(message, signers, means);
  if (validity !== undefined && !isValidAt(validity, now)) {
    throw corimError('CORIM_SIGNATURE_VALIDITY', `The signature ends at ${timeOf(validity.notAfter)}.`);
  }
  return { manifest: payload, endorser, signerName: name };
}

/** The first of the pinned keys that fits the algorithm and made the signature. */
async function signerOf(message: Sign1, signers: readonly Uint8Array[], means: VerificationMeans): Promise<string> {
  const algorithm = coseSignatures.get(message.algorithm);
  for (const spki of signers) {
    const holder = parseSpki(spki);
    if (algorithm === undefined || !keyFits(holder, algorithm)) continue;
    if (await sign1Holds(message, holder, algorithm, endorsementVerifier(means))) return sha256Hex(spki);
  }
  throw corimError('CORIM_SIGNATURE', `${signers.length} keys are pinned.`);
}

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(bytes))));
}

function timeOf(seconds: number): string {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? `${seconds}` : time.toISOString();
}
