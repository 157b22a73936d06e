import type { Cmw, CmwCollection } from '@fastness/attest';
import { concatBytes, plainBytes, u32be, utf8Encode } from '@fastness/codec/bytes';
import type { CborValue } from '@fastness/codec/cbor';
import { ClaimReader, importEd25519, secondsOf, signClaims, verifyClaims, type SignBytes } from './signed-claims.ts';
import { sha256 } from './web-crypto.ts';

/** What a receipt states. Digests are 32 bytes. */
export interface ReceiptClaims {
  /** See `MessageDigest`: method, path and body of the request. */
  readonly requestDigest: Uint8Array;
  /** Status and body of the response. */
  readonly responseDigest: Uint8Array;
  /** The release that was served, and with it the weights: SHA-256 of the payload its owner signed. */
  readonly releaseDigest: Uint8Array;
  /** The evidence that the client named, or else the enclave's own: see `evidenceDigestOf`. */
  readonly evidenceDigest: Uint8Array;
  /** The enclave's public keys: `keyConfigDigestOf` of `@fastness/attest`. */
  readonly keyConfigDigest: Uint8Array;
  /** By the enclave's clock, which its host may set; whole seconds. */
  readonly issuedAt: Date;
  /** Counts the receipts of one receipt key from 1; a gap is a response whose receipt someone else has. */
  readonly sequence: number;
  /**
   * The receipt before this one in a conversation, as the client named it: `receiptDigestOf`. Absent: the client named none.
   * The enclave keeps no conversations; what its signature adds is that this request came with this name.
   */
  readonly previous?: Uint8Array;
}

const label = {
  request: 1,
  response: 2,
  release: 3,
  evidence: 4,
  keyConfig: 5,
  issuedAt: 6,
  sequence: 7,
  previous: 8,
} as const;
const codes = { malformed: 'CHANNEL_RECEIPT_MALFORMED', signature: 'CHANNEL_RECEIPT_SIGNATURE' } as const;

/** Protected `typ` of a receipt. */
export const receiptType = 'application/vnd.fastness.receipt+cose';

/** The enclave's key for receipts. It lives in the enclave's memory and cannot be exported. */
export interface ReceiptKey {
  readonly sign: SignBytes;
  /** Raw Ed25519 public key, 32 bytes; the evidence commits to it. */
  readonly publicKey: Uint8Array;
}

export async function generateReceiptKey(): Promise<ReceiptKey> {
  const { subtle } = globalThis.crypto;
  const pair = await subtle.generateKey('Ed25519', false, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new TypeError('Ed25519 gave no key pair.');
  return {
    publicKey: new Uint8Array(await subtle.exportKey('raw', pair.publicKey)),
    sign: async (bytes) => new Uint8Array(await subtle.sign('Ed25519', pair.privateKey, plainBytes(bytes))),
  };
}

/** Signs a receipt: COSE_Sign1 over deterministic CBOR. */
export function signReceipt(options: { claims: ReceiptClaims; sign: SignBytes }): Promise<Uint8Array> {
  const { claims, sign } = options;
  const map = new Map<number, CborValue>([
    [label.request, claims.requestDigest],
    [label.response, claims.responseDigest],
    [label.release, claims.releaseDigest],
    [label.evidence, claims.evidenceDigest],
    [label.keyConfig, claims.keyConfigDigest],
    [label.issuedAt, secondsOf(claims.issuedAt)],
    [label.sequence, claims.sequence],
    ...(claims.previous === undefined ? [] : ([[label.previous, claims.previous]] as const)),
  ]);
  return signClaims({ type: receiptType, claims: map, sign });
}

/**
 * Verifies a receipt under a receipt key that evidence vouches for. What the claims mean is for the caller to compare.
 * @param options.receiptKey raw Ed25519 public key, 32 bytes
 * @throws FastnessError `CHANNEL_RECEIPT_MALFORMED`, `CHANNEL_RECEIPT_SIGNATURE`
 */
export async function verifyReceipt(options: { receipt: Uint8Array; receiptKey: Uint8Array }): Promise<ReceiptClaims> {
  const publicKey = await importEd25519('raw', options.receiptKey, codes.signature);
  const claims = await verifyClaims({ type: receiptType, message: options.receipt, publicKey, codes });
  const reader = new ClaimReader(claims, codes.malformed);
  const previous = reader.optionalDigest(label.previous);
  const receipt: ReceiptClaims = {
    requestDigest: reader.digest(label.request),
    responseDigest: reader.digest(label.response),
    releaseDigest: reader.digest(label.release),
    evidenceDigest: reader.digest(label.evidence),
    keyConfigDigest: reader.digest(label.keyConfig),
    issuedAt: reader.time(label.issuedAt),
    sequence: reader.integer(label.sequence, Number.MAX_SAFE_INTEGER),
    ...(previous === undefined ? {} : { previous }),
  };
  reader.done();
  return receipt;
}

/** By what the next receipt of a conversation names this one: SHA-256 of the COSE_Sign1, signature included. */
export function receiptDigestOf(receipt: Uint8Array): Promise<Uint8Array> {
  return sha256(receipt);
}

/**
 * Digest of evidence as a receipt names it: SHA-256 over label, media type and value, each behind its 32-bit length; of a
 * collection over a label of its own, its type, and label, media type and value of every record in the order of their labels.
 */
export function evidenceDigestOf(evidence: Cmw | CmwCollection): Promise<Uint8Array> {
  const parts =
    'records' in evidence
      ? collectionParts(evidence)
      : [utf8Encode('fastness/evidence/v1'), utf8Encode(evidence.type), evidence.value];
  return sha256(concatBytes(...parts.flatMap((part) => [u32be(part.length), part])));
}

function collectionParts({ type = '', records }: CmwCollection): Uint8Array[] {
  const sorted = [...records].toSorted(([left], [right]) => (left < right ? -1 : 1));
  return [
    utf8Encode('fastness/evidence-collection/v1'),
    utf8Encode(type),
    ...sorted.flatMap(([label, record]) => [utf8Encode(label), utf8Encode(record.type), record.value]),
  ];
}
