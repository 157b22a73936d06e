import { createHash, verify } from 'node:crypto';
import { ByteReader, concatBytes, equalBytes, u16be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, sized, type Tpm, type TpmAuthorisation } from '../client.ts';
import { algorithms, commandCodes, tags } from '../constants.ts';
import { noPassword, type LoadedObject, type ObjectCreation } from './objects.ts';
import type { NvAccess } from './nv.ts';

const GENERATED = 0xff54_4347;

/**
 * TPM2_NV_Certify: the content of an index, with its name and a nonce, signed by an attestation key of the TPM. Unlike what
 * TPM2_NV_Read answers, nothing between this program and the TPM can invent it.
 * @param options.signer handle of a loaded ECDSA attestation key
 * @returns the content, once the signature under `publicKey` (DER SubjectPublicKeyInfo), nonce and name were compared
 * Throws TPM_DEVICE_CERTIFY.
 */
export async function nvCertifiedRead(
  tpm: Tpm,
  options: NvAccess & {
    readonly signer: number;
    readonly signerAuth?: TpmAuthorisation;
    readonly publicKey: Uint8Array;
    /** The name that the index must have. */
    readonly name: Uint8Array;
    /** Fresh, 16 to 32 bytes. */
    readonly nonce: Uint8Array;
    readonly size: number;
  },
): Promise<Uint8Array> {
  const { index, authHandle = index, auth = noPassword, signer, signerAuth = noPassword, nonce, size } = options;
  const certified = await tpm.run(
    {
      code: commandCodes.nvCertify,
      name: 'TPM2_NV_Certify',
      handles: [signer, authHandle, index],
      auths: [signerAuth, auth],
      parameters: concatBytes(sized(nonce), u16be(algorithms.null), u16be(size), u16be(0)),
    },
    (reader) => ({ attest: readSized(reader), signature: readEcdsa(reader) }),
  );
  requireSignature(certified, options.publicKey);
  return contentOf(certified.attest, options);
}

/** What creation data says of the making of an object. */
export interface CertifiedCreation {
  /** TPML_PCR_SELECTION. */
  readonly registers: Uint8Array;
  /** SHA-256 over the values that they had. */
  readonly registersDigest: Uint8Array;
}

/**
 * TPM2_CertifyCreation: that this TPM made a loaded object, and what it says of how, signed by an attestation key of it over a
 * nonce. Anybody can seal an object to any registers; which ones it was made under, only the TPM can say. For objects whose
 * name is of SHA-256.
 * @param options.signer handle of a loaded ECDSA attestation key
 * Throws TPM_DEVICE_CERTIFY, TPM_DEVICE_REFUSED for a ticket of another TPM or of other data.
 */
export async function certifiedCreation(
  tpm: Tpm,
  options: {
    readonly object: Pick<LoadedObject, 'handle' | 'name'>;
    readonly creation: ObjectCreation;
    readonly signer: number;
    readonly signerAuth?: TpmAuthorisation;
    readonly publicKey: Uint8Array;
    /** Fresh, 16 to 32 bytes. */
    readonly nonce: Uint8Array;
  },
): Promise<CertifiedCreation> {
  const { object, creation, signer, signerAuth = noPassword, nonce } = options;
  const digest = new Uint8Array(createHash('sha256').update(creation.data).digest());
  const certified = await tpm.run(
    {
      code: commandCodes.certifyCreation,
      name: 'TPM2_CertifyCreation',
      handles: [signer, object.handle],
      auths: [signerAuth],
      parameters: concatBytes(sized(nonce), sized(digest), u16be(algorithms.null), creation.ticket),
    },
    (reader) => ({ attest: readSized(reader), signature: readEcdsa(reader) }),
  );
  requireSignature(certified, options.publicKey);
  const reader = new ByteReader(certified.attest);
  readHead(reader, tags.attestCreation, nonce);
  if (!equalBytes(readSized(reader, 66), object.name)) throw wrong('the name of the object');
  if (!equalBytes(readSized(reader, 64), digest)) throw wrong('the creation data');
  reader.end();
  return readCreationData(creation.data);
}

/** TPMS_CREATION_DATA (part 2, section 15.1), of one bank at most. */
function readCreationData(data: Uint8Array): CertifiedCreation {
  const reader = new ByteReader(data);
  const start = data.length - reader.remaining;
  const count = reader.u32be();
  for (let each = 0; each < Math.min(count, 2); each += 1) {
    reader.u16be();
    reader.take(reader.u8());
  }
  const registers = data.slice(start, data.length - reader.remaining);
  const registersDigest = readSized(reader, 64);
  reader.u8();
  reader.u16be();
  readSized(reader, 66);
  readSized(reader, 66);
  readSized(reader, 64);
  reader.end();
  return { registers, registersDigest };
}

function requireSignature(
  { attest, signature }: { readonly attest: Uint8Array; readonly signature: Uint8Array },
  publicKey: Uint8Array,
): void {
  const key = { key: Buffer.from(publicKey), format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha256', attest, key, signature)) throw wrong('the signature');
}

/** The members of TPMS_ATTEST that every kind has (part 2, section 10.12.12). */
function readHead(reader: ByteReader, tag: number, nonce: Uint8Array): void {
  if (reader.u32be() !== GENERATED || reader.u16be() !== tag) throw wrong('the kind of structure');
  readSized(reader, 66);
  if (!equalBytes(readSized(reader, 64), nonce)) throw wrong('the nonce');
  reader.take(8 + 4 + 4 + 1 + 8); // Clock and firmware: the nonce says that the statement is new.
}

/** TPMS_ATTEST with TPMS_NV_CERTIFY_INFO (part 2, sections 10.12.8 and 10.12.12). */
function contentOf(
  attest: Uint8Array,
  expected: { readonly nonce: Uint8Array; readonly name: Uint8Array; readonly size: number },
): Uint8Array {
  const reader = new ByteReader(attest);
  readHead(reader, tags.attestNv, expected.nonce);
  if (!equalBytes(readSized(reader, 66), expected.name)) throw wrong('the name of the index');
  if (reader.u16be() !== 0) throw wrong('the offset');
  const content = readSized(reader, expected.size);
  reader.end();
  if (content.length !== expected.size) throw wrong('the size');
  return content;
}

/** TPMT_SIGNATURE of ECDSA with SHA-256 on P-256, as r || s. */
function readEcdsa(reader: ByteReader): Uint8Array {
  if (reader.u16be() !== algorithms.ecdsa || reader.u16be() !== algorithms.sha256) {
    throw new FastnessError('CODEC_VALUE', 'Another scheme of signature.');
  }
  const signature = new Uint8Array(64);
  for (const end of [32, 64]) {
    const half = readSized(reader, 32);
    signature.set(half, end - half.length);
  }
  return signature;
}

function wrong(what: string): FastnessError {
  return new FastnessError('TPM_DEVICE_CERTIFY', `It differs in ${what}.`);
}
