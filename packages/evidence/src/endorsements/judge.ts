import { equalBytes, plainBytes, toHex } from '@fastness/codec/bytes';
import { DerReader } from '@fastness/codec/der';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { extensionOids, parseCertificate, verifySignedBy, type Certificate, type Crl } from '@fastness/codec/x509';

/** Runs a reader of untrusted bytes; whatever it finds wrong is the fault of whoever sent them. */
export async function readable<T>(what: string, read: () => T | Promise<T>): Promise<T> {
  return under('ENDORSEMENT_RESPONSE', what, read);
}

/** Runs the check of a signature or chain. */
export async function vouched<T>(what: string, verify: () => T | Promise<T>): Promise<T> {
  return under('ENDORSEMENT_UNAUTHENTIC', what, verify);
}

/** What an authentic item says must be what was asked for. Throws ENDORSEMENT_MISMATCH. */
export function requireSame(what: string, asked: string | number, answered: string | number): void {
  if (asked !== answered) throw new FastnessError('ENDORSEMENT_MISMATCH', `${what} ${answered} instead of ${asked}.`);
}

/** Reads the certificates above an item. */
export async function readChain(what: string, ders: readonly Uint8Array[]): Promise<Certificate[]> {
  return readable(`${what}: its issuers`, () => ders.map((der) => parseCertificate(der)));
}

/**
 * Verifies a chain from `certificates[0]` up to a root whose key is pinned, and returns the root. A root is found by its
 * key: names prove nothing. Throws ENDORSEMENT_UNAUTHENTIC.
 */
export async function verifyUpToPin(
  what: string,
  certificates: readonly Certificate[],
  pins: readonly { readonly spkiSha256: string }[],
): Promise<Certificate> {
  const root = certificates.at(-1);
  if (root === undefined) throw new FastnessError('ENDORSEMENT_UNAUTHENTIC', `${what}: it has no issuer.`);
  const key = await sha256Hex(root.spki);
  if (!pins.some(({ spkiSha256 }) => spkiSha256 === key)) {
    throw new FastnessError('ENDORSEMENT_UNAUTHENTIC', `${what}: it ends in a root that is not pinned, key ${key}.`);
  }
  for (const [index, issuer] of certificates.entries()) {
    const child = certificates[index - 1];
    if (child !== undefined) await vouched(what, async () => verifySignedBy(child, issuer));
  }
  return root;
}

/** The number of a revocation list, where it carries one. */
function crlNumberOf(crl: Crl): bigint | undefined {
  const extension = crl.extensions.get(extensionOids.crlNumber);
  if (extension === undefined) return undefined;
  const reader = new DerReader(extension.value);
  const bytes = reader.integer();
  reader.end();
  return BigInt(`0x${toHex(bytes) || '0'}`);
}

/** The age of a list. One that does not say when it expires is refused: it could be of any age. */
export function ageOfCrl(what: string, crl: Crl, chain: readonly Certificate[]) {
  const { nextUpdate, thisUpdate } = crl;
  if (nextUpdate === undefined) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${what}: it does not say when it expires.`);
  }
  let number: bigint | undefined;
  try {
    number = crlNumberOf(crl);
  } catch (cause) {
    throw new FastnessError('ENDORSEMENT_RESPONSE', `${what}: its number.`, { cause });
  }
  return {
    issued: thisUpdate,
    expires: earliest(nextUpdate, ...chain.map(({ notAfter }) => notAfter)),
    ...(number === undefined ? {} : { number }),
  };
}

export function earliest(first: Date, ...others: readonly Date[]): Date {
  return new Date(Math.min(first.getTime(), ...others.map((date) => date.getTime())));
}

export function latest(first: Date, ...others: readonly Date[]): Date {
  return new Date(Math.max(first.getTime(), ...others.map((date) => date.getTime())));
}

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes))));
}

export function includesBytes(list: readonly Uint8Array[], bytes: Uint8Array): boolean {
  return list.some((each) => equalBytes(each, bytes));
}

async function under<T>(code: ErrorCode, what: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (!(cause instanceof FastnessError)) throw cause;
    if (cause.code.startsWith('ENDORSEMENT_')) throw cause;
    throw new FastnessError(code, `${what}: ${cause.code}.`, { cause });
  }
}
