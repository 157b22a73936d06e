import { toBase64, toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import type { SignatureAlgorithm } from '@fastness/codec/x509';
import { signRaw, type ForgedKeys } from '../x509/keys.ts';

/** Algorithms that the forge signs tokens with. */
export type ForgedJwsAlgorithm = 'RS256' | 'PS256' | 'PS384' | 'ES256' | 'ES384' | 'EdDSA' | 'Ed25519';

export interface ForgeJwsOptions {
  readonly keys: ForgedKeys;
  readonly algorithm: ForgedJwsAlgorithm;
  readonly keyId?: string;
  /** DER, leaf first. Absent: the header has no `x5c`. */
  readonly certificates?: readonly Uint8Array[];
  /** An object, or the text of the payload as it is. */
  readonly claims: object | string;
  /** Members that replace those of the header; undefined takes one out. */
  readonly header?: Readonly<Record<string, unknown>>;
  /** Replaces the header's JSON, before it is signed. */
  readonly headerText?: (json: string) => string;
  readonly signature?: (signature: Uint8Array) => Uint8Array;
  /** Replaces the finished token. */
  readonly text?: (token: string) => string;
}

const schemes: Readonly<Record<ForgedJwsAlgorithm, SignatureAlgorithm>> = {
  RS256: { kind: 'rsa-pkcs1', hash: 'SHA-256' },
  PS256: { kind: 'rsa-pss', hash: 'SHA-256', saltLength: 32 },
  PS384: { kind: 'rsa-pss', hash: 'SHA-384', saltLength: 48 },
  ES256: { kind: 'ecdsa', hash: 'SHA-256' },
  ES384: { kind: 'ecdsa', hash: 'SHA-384' },
  EdDSA: { kind: 'ed25519' },
  Ed25519: { kind: 'ed25519' },
};

/** Writes and signs a JWS in compact serialisation (RFC 7515). */
export async function forgeJws(options: ForgeJwsOptions): Promise<string> {
  const { keys, algorithm, keyId, certificates, claims } = options;
  const header = JSON.stringify({
    alg: algorithm,
    ...(keyId === undefined ? {} : { kid: keyId }),
    typ: 'JWT',
    ...(certificates === undefined ? {} : { x5c: certificates.map((der) => toBase64(der)) }),
    ...options.header,
  });
  const payload = typeof claims === 'string' ? claims : JSON.stringify(claims);
  const parts = [options.headerText?.(header) ?? header, payload].map((part) => toBase64Url(utf8Encode(part)));
  const signed = parts.join('.');
  const signature = await signRaw(keys, schemes[algorithm], utf8Encode(signed));
  const token = `${signed}.${toBase64Url(options.signature?.(signature) ?? signature)}`;
  return options.text?.(token) ?? token;
}
