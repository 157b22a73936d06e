import { CMW_EVIDENCE, NITRO_EVIDENCE_TYPE, NITRO_TPM_EVIDENCE_TYPE, type Cmw } from '@fastness/attest';
import { encodeCbor, type CborMap, type CborValue } from '@fastness/codec/cbor';
import { encodeSign1 } from '@fastness/codec/cose';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedNitroChain } from './chain.ts';

export interface ForgeNitroDocumentOptions {
  /** Brings certificates, module id and the key that signs. */
  readonly chain: ForgedNitroChain;
  readonly kind?: 'enclave' | 'nitrotpm';
  readonly timestamp: Date;
  /** By index. Default: 16 registers for an enclave, 24 for a TPM, each filled with its index and 0xf0. */
  readonly pcrs?: ReadonlyMap<number, Uint8Array>;
  readonly publicKey?: Uint8Array;
  readonly userData?: Uint8Array;
  readonly nonce?: Uint8Array;
  /** Edits the fields of the payload before it is written. */
  readonly fields?: (fields: Map<string, CborValue>) => void;
  /** Replaces the payload, CBOR, before it is signed. */
  readonly payload?: (payload: Uint8Array) => Uint8Array;
  /** Default: ES384. */
  readonly protectedHeader?: CborMap;
  readonly unprotected?: CborMap;
  /** Default: false, as the NSM does. */
  readonly tagged?: boolean;
  /** Sends the message without its payload. */
  readonly detached?: boolean;
  /** Default: the key of the leaf. */
  readonly signWith?: ForgedKeys;
}

/** Registers that differ from each other and from zero. */
export function forgedPcrs(count: number): Map<number, Uint8Array> {
  return new Map(Array.from({ length: count }, (_, index) => [index, new Uint8Array(48).fill(0xf0 ^ index)]));
}

/** Writes and signs an attestation document. @returns COSE_Sign1 */
export async function forgeNitroDocument(options: ForgeNitroDocumentOptions): Promise<Uint8Array> {
  const { chain, kind = 'enclave', timestamp } = options;
  const pcrs = options.pcrs ?? forgedPcrs(kind === 'enclave' ? 16 : 24);
  const fields = new Map<string, CborValue>([
    ['module_id', chain.moduleId],
    ['digest', 'SHA384'],
    ['timestamp', timestamp.getTime()],
    [kind === 'enclave' ? 'pcrs' : 'nitrotpm_pcrs', pcrs],
    ['certificate', chain.certificates.leaf],
    ['cabundle', chain.cabundle],
    ['public_key', options.publicKey ?? null],
    ['user_data', options.userData ?? null],
    ['nonce', options.nonce ?? null],
  ]);
  options.fields?.(fields);
  const payload = encodeCbor(fields);
  return encodeSign1({
    protectedHeader: options.protectedHeader ?? new Map([[1, -35]]),
    ...(options.unprotected === undefined ? {} : { unprotected: options.unprotected }),
    payload: options.payload?.(payload) ?? payload,
    tagged: options.tagged ?? false,
    detached: options.detached ?? false,
    sign: async (message) => signRaw(options.signWith ?? chain.keys.leaf, { kind: 'ecdsa', hash: 'SHA-384' }, message),
  });
}

/** Wraps a document as evidence. */
export function nitroEvidence(document: Uint8Array, kind: 'enclave' | 'nitrotpm' = 'enclave'): Cmw {
  return {
    type: kind === 'enclave' ? NITRO_EVIDENCE_TYPE : NITRO_TPM_EVIDENCE_TYPE,
    value: document,
    ind: CMW_EVIDENCE,
  };
}
