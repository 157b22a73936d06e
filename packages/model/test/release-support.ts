import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { expect } from 'vitest';

const vectors = process.env['FASTNESS_VECTORS'] ?? join(import.meta.dirname, '../../../../shared/vectors');

/** Recorded OMS signatures; absent where the vectors are not installed. */
export const omsVectors = join(vectors, 'oms');
export const hasOmsVectors = existsSync(omsVectors);

export async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FastnessError)) throw new Error(`expected ${code}, got ${String(error)}`);
  expect(`${error.code} ${error.code === code ? '' : error.message}`.trim()).toBe(code);
}

/** A key pair held by the test, to sign what no honest signer would. */
export interface TestKey {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
  readonly hint: string;
  sign(message: Uint8Array): Uint8Array;
}

const ecHashes = { 'P-256': 'sha256', 'P-384': 'sha384', 'P-521': 'sha512' } as const;

export function testKey(algorithm: keyof typeof ecHashes | 'Ed25519' = 'P-256'): TestKey {
  const { privateKey, publicKey } =
    algorithm === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: algorithm });
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
  const pem = publicKey.export({ format: 'pem', type: 'spki' });
  return {
    privateKey,
    spki,
    hint: createHash('sha256').update(pem).digest('hex'),
    sign: (message) => sign(algorithm === 'Ed25519' ? null : ecHashes[algorithm], message, privateKey),
  };
}

export function pae(payloadType: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `), payload]);
}

const statementType = 'application/vnd.in-toto+json';

export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A statement as an honest signer writes it; `edit` may change anything before it is signed. */
export function makeStatement(
  files: Readonly<Record<string, Uint8Array | string>>,
  serialization: Record<string, unknown> = {},
) {
  const resources = Object.entries(files).map(([name, content]) => ({
    algorithm: 'sha256',
    digest: sha256Hex(content),
    name,
  }));
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'model', digest: { sha256: rootDigest(resources) } }],
    predicateType: 'https://model_signing/signature/v1.0',
    predicate: {
      serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ...serialization },
      resources,
    },
  };
}

export function rootDigest(resources: readonly { readonly digest: string }[]): string {
  return sha256Hex(Buffer.from(resources.map(({ digest }) => digest).join(''), 'hex'));
}

/** Signs any payload into a bundle, with any material around it. */
export function forgeBundle(options: {
  readonly payload: unknown;
  readonly keys: readonly TestKey[];
  readonly payloadType?: string;
  readonly material?: unknown;
}): string {
  const { keys, payloadType = statementType } = options;
  const payload = Buffer.from(JSON.stringify(options.payload, null, 2));
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
    verificationMaterial: options.material ?? { publicKey: { hint: keys[0]?.hint }, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType,
      signatures: keys.map((key) => ({
        sig: Buffer.from(key.sign(pae(payloadType, payload))).toString('base64'),
        keyid: '',
      })),
    },
  });
}
