import { verify } from 'node:crypto';
import { ByteReader, concatBytes, equalBytes, u16be } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readSized, sized, type Tpm, type TpmAuthorisation } from '../client.ts';
import { algorithms, commandCodes, tags } from '../constants.ts';
import { noPassword } from './objects.ts';
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
  const key = { key: Buffer.from(options.publicKey), format: 'der', type: 'spki', dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha256', certified.attest, key, certified.signature)) throw wrong('the signature');
  return contentOf(certified.attest, options);
}

/** TPMS_ATTEST with TPMS_NV_CERTIFY_INFO (part 2, sections 10.12.8 and 10.12.12). */
function contentOf(
  attest: Uint8Array,
  expected: { readonly nonce: Uint8Array; readonly name: Uint8Array; readonly size: number },
): Uint8Array {
  const reader = new ByteReader(attest);
  if (reader.u32be() !== GENERATED || reader.u16be() !== tags.attestNv) throw wrong('the kind of structure');
  readSized(reader, 66);
  if (!equalBytes(readSized(reader, 64), expected.nonce)) throw wrong('the nonce');
  reader.take(8 + 4 + 4 + 1 + 8); // Clock and firmware: the nonce says that the statement is new.
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
