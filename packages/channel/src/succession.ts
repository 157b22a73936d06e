import type { CborValue } from '@fastness/codec/cbor';
import { ClaimReader, importEd25519, signClaims, verifyClaims, type SignBytes } from './signed-claims.ts';

const label = { keyConfig: 1 } as const;
const codes = { malformed: 'CHANNEL_SUCCESSION_MALFORMED', signature: 'CHANNEL_SUCCESSION_SIGNATURE' } as const;

/** Protected `typ` of a succession. */
export const successionType = 'application/vnd.fastness.succession+cose';

/**
 * Says that keys were made by the enclave that holds the receipt key which signs this: a lease is granted to the first keys of
 * an enclave, and those that replace them are its own. COSE_Sign1 over deterministic CBOR, like a receipt.
 * @param options.keyConfigDigest of the new keys, 32 bytes
 */
export function signSuccession(options: { keyConfigDigest: Uint8Array; sign: SignBytes }): Promise<Uint8Array> {
  const claims = new Map<number, CborValue>([[label.keyConfig, options.keyConfigDigest]]);
  return signClaims({ type: successionType, claims, sign: options.sign });
}

/**
 * The digest of the keys that succeed those of `receiptKey` (raw Ed25519, 32 bytes).
 * @throws FastnessError `CHANNEL_SUCCESSION_MALFORMED`, `CHANNEL_SUCCESSION_SIGNATURE`
 */
export async function verifySuccession(options: {
  succession: Uint8Array;
  receiptKey: Uint8Array;
}): Promise<Uint8Array> {
  const publicKey = await importEd25519('raw', options.receiptKey, codes.signature);
  const claims = await verifyClaims({ type: successionType, message: options.succession, publicKey, codes });
  const reader = new ClaimReader(claims, codes.malformed);
  const keyConfigDigest = reader.digest(label.keyConfig);
  reader.done();
  return keyConfigDigest;
}
