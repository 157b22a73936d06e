import { createHash } from 'node:crypto';
import { ByteReader, concatBytes, u16be, u32be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { sized } from './client.ts';
import { algorithms, objectAttributes } from './constants.ts';

/** Templates for TPM2_CreatePrimary and TPM2_Create: a TPMT_PUBLIC (part 2, section 12.2.4) with an empty unique field. */

const { fixedTpm, fixedParent, sensitiveDataOrigin, userWithAuth, noDictionaryAttack, restricted, decrypt, sign } =
  objectAttributes;
const own = fixedTpm | fixedParent | sensitiveDataOrigin | userWithAuth | noDictionaryAttack;
const P256 = 0x0003;
const empty = sized(new Uint8Array(0));

/** A key that objects are kept under: P-256, AES-128-CFB, as TCG's profile for storage keys has it. */
export const storageKeyTemplate: Uint8Array = concatBytes(
  head(algorithms.ecc, own | restricted | decrypt),
  u16be(algorithms.aes),
  u16be(128),
  u16be(algorithms.cfb),
  u16be(algorithms.null),
  u16be(P256),
  u16be(algorithms.null),
  empty,
  empty,
);

/** A key that signs only what the TPM itself made: ECDSA P-256 with SHA-256. */
export const attestationKeyTemplate: Uint8Array = concatBytes(
  head(algorithms.ecc, own | restricted | sign),
  u16be(algorithms.null),
  u16be(algorithms.ecdsa),
  u16be(algorithms.sha256),
  u16be(P256),
  u16be(algorithms.null),
  empty,
  empty,
);

/** The same with RSA 2048 and RSASSA, for verifiers that want it. */
export const rsaAttestationKeyTemplate: Uint8Array = concatBytes(
  head(algorithms.rsa, own | restricted | sign),
  u16be(algorithms.null),
  u16be(algorithms.rsassa),
  u16be(algorithms.sha256),
  u16be(2048),
  u32be(0),
  empty,
);

/** Sealed data that comes out under a policy and no other way. */
export function sealedDataTemplate(policy: Uint8Array): Uint8Array {
  return concatBytes(
    head(algorithms.keyedHash, fixedTpm | fixedParent | noDictionaryAttack, policy),
    u16be(algorithms.null),
    empty,
  );
}

function head(type: number, attributes: number, policy: Uint8Array = new Uint8Array(0)): Uint8Array {
  return concatBytes(u16be(type), u16be(algorithms.sha256), u32be(attributes), sized(policy));
}

/**
 * The name of an object or an index: hash algorithm and digest of its public area (part 1, section 16). Only SHA-256 is used
 * here. Throws TPM_DEVICE_UNSUPPORTED for another.
 */
export function nameOf(publicArea: Uint8Array, nameAlgorithm: number): Uint8Array {
  if (nameAlgorithm !== algorithms.sha256) {
    throw new FastnessError('TPM_DEVICE_UNSUPPORTED', `Names by algorithm 0x${nameAlgorithm.toString(16)}.`);
  }
  return concatBytes(u16be(nameAlgorithm), createHash('sha256').update(publicArea).digest());
}

/** The name of an object by its TPMT_PUBLIC. */
export function objectName(publicArea: Uint8Array): Uint8Array {
  const reader = new ByteReader(publicArea);
  reader.u16be();
  return nameOf(publicArea, reader.u16be());
}
