import { concatBytes, fromBase64, toBase64, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { z } from 'zod';

/** Dead Simple Signing Envelope, https://github.com/secure-systems-lab/dsse, protocol version 1. */
export interface DsseEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly { readonly signature: Uint8Array; readonly keyId: string }[];
}

/** Signatures one envelope may carry. */
const maxSignatures = 16;

/** `maxPayload` is in characters of base64. Writers before 1.1 of the OMS tool put null where there is no key id. */
export function dsseSchema(maxPayload: number) {
  return z.strictObject({
    payload: z.string().min(4).max(maxPayload),
    payloadType: z.string().min(1).max(256),
    signatures: z
      .array(z.strictObject({ sig: z.string().min(4).max(1024), keyid: z.string().max(256).nullish() }))
      .min(1)
      .max(maxSignatures),
  });
}

export type DsseJson = z.infer<ReturnType<typeof dsseSchema>>;

/** Decodes the base64 inside; `code` is thrown when it is not the one canonical encoding. */
export function decodeDsse(json: DsseJson, code: ErrorCode): DsseEnvelope {
  try {
    return {
      payloadType: json.payloadType,
      payload: fromBase64(json.payload),
      signatures: json.signatures.map(({ sig, keyid }) => ({ signature: fromBase64(sig), keyId: keyid ?? '' })),
    };
  } catch (cause) {
    throw new FastnessError(code, 'Its envelope is not in base64.', { cause });
  }
}

export function encodeDsse(envelope: DsseEnvelope): DsseJson {
  return {
    payload: toBase64(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map(({ signature, keyId }) => ({ sig: toBase64(signature), keyid: keyId })),
  };
}

/** The pre-authentication encoding: the bytes that are signed. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = utf8Encode(payloadType);
  return concatBytes(utf8Encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `), payload);
}
