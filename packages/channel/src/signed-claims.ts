import { equalBytes, plainBytes } from '@fastness/codec/bytes';
import { decodeCbor, encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { coseHeaders, decodeSign1, encodeSign1, verifySign1 } from '@fastness/codec/cose';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';

/** COSE algorithm Ed25519 (RFC 9864): the only one for receipts and leases. */
const ed25519 = -19;

/** Largest message in bytes. */
const maxMessage = 4096;

/** Signs the bytes of a COSE Sig_structure with Ed25519; returns 64 bytes. */
export type SignBytes = (toBeSigned: Uint8Array) => Promise<Uint8Array>;

/** Codes that a kind of signed claims fails with. */
export interface SignedClaimsCodes {
  readonly malformed: ErrorCode;
  readonly signature: ErrorCode;
}

/**
 * Signs a map of claims as COSE_Sign1. `type` (RFC 9596 `typ`) is protected, so a receipt cannot pass for a lease even
 * under one key.
 */
export function signClaims(options: { type: string; claims: CborMap; sign: SignBytes }): Promise<Uint8Array> {
  return encodeSign1({
    protectedHeader: new Map<number, CborValue>([
      [coseHeaders.algorithm, ed25519],
      [coseHeaders.type, options.type],
    ]),
    payload: encodeCbor(options.claims),
    sign: options.sign,
  });
}

/**
 * Reads and verifies a COSE_Sign1 of exactly the form that `signClaims` writes: nothing unprotected, no further header,
 * one encoding. Returns the claims.
 */
export async function verifyClaims(options: {
  type: string;
  message: Uint8Array;
  publicKey: CryptoKey;
  codes: SignedClaimsCodes;
}): Promise<CborMap> {
  const { message, type, codes } = options;
  if (message.length > maxMessage) throw new FastnessError(codes.malformed, `${message.length} bytes.`);
  const sign1 = readable(() => decodeSign1(message), codes);
  const expectedHeader = encodeCbor(
    new Map<number, CborValue>([
      [coseHeaders.algorithm, ed25519],
      [coseHeaders.type, type],
    ]),
  );
  if (!equalBytes(sign1.protectedBytes, expectedHeader) || sign1.unprotected.size > 0 || sign1.payload === null) {
    throw new FastnessError(codes.malformed, 'The headers are not those of this kind of message.');
  }
  const { payload } = sign1;
  try {
    await verifySign1({ message: sign1, publicKey: options.publicKey, algorithms: [ed25519] });
  } catch (error) {
    throw new FastnessError(codes.signature, undefined, { cause: error });
  }
  const claims = readable(() => decodeCbor(payload), codes);
  if (!(claims instanceof Map)) throw new FastnessError(codes.malformed, 'The claims are not a map.');
  return claims;
}

/** Takes claims out of a map by label; `done` refuses what nobody took. */
export class ClaimReader {
  readonly #claims: Map<number | bigint | string, CborValue>;
  readonly #code: ErrorCode;

  constructor(claims: CborMap, code: ErrorCode) {
    this.#claims = new Map(claims);
    this.#code = code;
  }

  /** 32 bytes. */
  digest(label: number): Uint8Array {
    const value = this.#take(label);
    if (!(value instanceof Uint8Array) || value.length !== 32) throw this.#wrong(label);
    return value;
  }

  /** 32 bytes, or undefined where the claim is absent. */
  optionalDigest(label: number): Uint8Array | undefined {
    return this.#claims.has(label) ? this.digest(label) : undefined;
  }

  /** An integer from 0 to `max`, at most 2^53 - 1. */
  integer(label: number, max: number): number {
    const value = this.#take(label);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) throw this.#wrong(label);
    return value;
  }

  /** A time in whole seconds since 1970. */
  time(label: number): Date {
    return new Date(this.integer(label, 253_402_300_799) * 1000);
  }

  text(label: number, pattern: RegExp): string {
    const value = this.#take(label);
    if (typeof value !== 'string' || !pattern.test(value)) throw this.#wrong(label);
    return value;
  }

  done(): void {
    if (this.#claims.size > 0) throw new FastnessError(this.#code, 'An unknown claim.');
  }

  #take(label: number): CborValue | undefined {
    const value = this.#claims.get(label);
    this.#claims.delete(label);
    return value;
  }

  #wrong(label: number): FastnessError {
    return new FastnessError(this.#code, `Claim ${label}.`);
  }
}

/** Whole seconds since 1970, as claims state a time. */
export function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

/** Imports an Ed25519 public key: 32 raw bytes, or SubjectPublicKeyInfo DER. */
export async function importEd25519(format: 'raw' | 'spki', bytes: Uint8Array, code: ErrorCode): Promise<CryptoKey> {
  try {
    return await globalThis.crypto.subtle.importKey(format, plainBytes(bytes), 'Ed25519', true, ['verify']);
  } catch (error) {
    throw new FastnessError(code, 'The public key is not an Ed25519 key.', { cause: error });
  }
}

function readable<T>(read: () => T, codes: SignedClaimsCodes): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof FastnessError) throw new FastnessError(codes.malformed, error.detail, { cause: error });
    throw error;
  }
}
