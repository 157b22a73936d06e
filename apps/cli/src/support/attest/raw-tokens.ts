import {
  AZURE_MAA_TOKEN_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
} from '@fastness/attest';
import { fromBase64Url, utf8Decode } from '@fastness/codec';
import { isObject } from './is-object.ts';
import { alone, jsonOf, type RecognisedEvidence } from './raw-hardware.ts';

/** What only the tokens of one service have. Says how a token is read; who signed it is another question. */
const marks: Readonly<Record<string, (claims: Readonly<Record<string, unknown>>) => boolean>> = Object.freeze({
  [AZURE_MAA_TOKEN_TYPE]: (claims) => 'x-ms-ver' in claims,
  [INTEL_TRUST_AUTHORITY_TOKEN_TYPE]: (claims) =>
    'attester_type' in claims || ('attester_tcb_status' in claims && !('submods' in claims)),
  [GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE]: (claims) =>
    isObject(claims['submods']) && 'confidential_space' in claims['submods'],
});

/** A JWS, compact, of the service whose tokens have this media type. */
export function recogniseToken(bytes: Uint8Array, type: keyof typeof marks): RecognisedEvidence | undefined {
  const text = compactOf(bytes);
  const claims = text === undefined ? undefined : claimsOf(text);
  if (text === undefined || claims === undefined || marks[type]?.(claims) !== true) return undefined;
  return alone(type, new TextEncoder().encode(text));
}

/** The detached EAT of NVIDIA's service: `[["JWT", token], {"GPU-0": token, ...}]`. */
export function recogniseNras(bytes: Uint8Array): RecognisedEvidence | undefined {
  if (bytes[0] !== 0x5b) return undefined;
  const value = jsonOf(bytes);
  const first: unknown = Array.isArray(value) ? value[0] : undefined;
  return Array.isArray(first) && first[0] === 'JWT' ? alone(NVIDIA_NRAS_EAT_TYPE, bytes) : undefined;
}

function compactOf(bytes: Uint8Array): string | undefined {
  // A JWS begins with "eyJ", the encoding of {".
  if (bytes[0] !== 0x65 || bytes[1] !== 0x79 || bytes[2] !== 0x4a) return undefined;
  try {
    const text = utf8Decode(bytes).trim();
    return /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function claimsOf(text: string): Record<string, unknown> | undefined {
  try {
    const claims = jsonOf(fromBase64Url(text.split('.')[1] ?? ''));
    return isObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
