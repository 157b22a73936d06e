import { createCipheriv, publicEncrypt, randomBytes, type KeyObject } from 'node:crypto';
import { toBase64, toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { forgeCertificate } from '../x509/certificate.ts';
import { basicConstraints } from '../x509/extensions.ts';
import { sharedKeys, signWith, type ForgedKeys } from '../x509/keys.ts';

/** Who signs the answers of a vault, and the authority above. */
export interface ForgedVaultSigner {
  readonly root: Uint8Array;
  readonly leaf: Uint8Array;
  readonly keys: ForgedKeys;
}

export interface ForgeVaultSignerOptions {
  readonly host: string;
  readonly now: Date;
  /** Default: valid a day around `now`. */
  readonly leafValidity?: { readonly notBefore: Date; readonly notAfter: Date };
  /** Whether the leaf says that it is an authority. */
  readonly leafCa?: boolean;
  readonly rootCa?: boolean;
}

/** A root and a leaf for the host name of a vault, RSA. */
export async function forgeVaultSigner(options: ForgeVaultSignerOptions): Promise<ForgedVaultSigner> {
  const { host, now, leafCa = false, rootCa = true } = options;
  const day = 86_400_000;
  const validity = { notBefore: new Date(now.getTime() - day), notAfter: new Date(now.getTime() + day) };
  const [rootKeys, keys] = await Promise.all([
    sharedKeys('vault-root', 'rsa-2048'),
    sharedKeys('vault-leaf', 'rsa-2048'),
  ]);
  const name = { commonName: 'Forged Web Authority' };
  const root = await forgeCertificate({
    subject: name,
    keys: rootKeys,
    validity,
    extensions: [basicConstraints({ ca: rootCa })],
  });
  const leaf = await forgeCertificate({
    subject: { commonName: host },
    keys,
    issuer: { name, keys: rootKeys },
    serial: 7,
    validity: options.leafValidity ?? validity,
    extensions: [
      basicConstraints({ ca: leafCa }),
      { oid: '2.5.29.17', value: der.sequence(der.implicit(2, utf8Encode(host))) },
    ],
  });
  return { root, leaf, keys };
}

export interface ForgeReleaseOptions {
  readonly signer: ForgedVaultSigner;
  readonly kid: string;
  readonly keyType?: string;
  readonly nonce: string;
  readonly enc?: string;
  readonly publicKey: KeyObject;
  readonly key: Uint8Array;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly payload?: (payload: Record<string, unknown>) => unknown;
  readonly keyHsm?: unknown;
}

/** RSA-OAEP for a fresh AES key, AES key wrap with padding for the key. */
export function wrapReleased(key: Uint8Array, publicKey: KeyObject, oaepHash: string): Uint8Array {
  const kek = randomBytes(32);
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'));
  const wrapped = Buffer.concat([cipher.update(key), cipher.final()]);
  return new Uint8Array(Buffer.concat([publicEncrypt({ key: publicKey, oaepHash }, kek), wrapped]));
}

/** The answer of a vault's secure key release, really wrapped and signed. */
export async function forgeRelease(options: ForgeReleaseOptions): Promise<string> {
  const { signer, kid, nonce, publicKey, keyType = 'oct-HSM', enc = 'RSA_AES_KEY_WRAP_256' } = options;
  const hash = enc.endsWith('384') ? 'sha384' : 'sha256';
  const keyHsm = options.keyHsm ?? {
    schema_version: '1.0',
    header: { kid: 'TpmEphemeralEncryptionKey', alg: 'dir', enc },
    ciphertext: toBase64Url(wrapReleased(options.key, publicKey, hash)),
  };
  const payload = {
    request: { 'api-version': '7.4', enc, kid, nonce },
    response: {
      key: {
        key: { kid, kty: keyType, key_ops: ['encrypt', 'decrypt'], key_hsm: encode(keyHsm) },
        attributes: { enabled: true, exportable: true },
      },
    },
  };
  const header = { alg: 'RS256', typ: 'JWT', x5c: [toBase64(signer.leaf), toBase64(signer.root)], ...options.header };
  const content = `${encode(header)}.${encode(options.payload?.(payload) ?? payload)}`;
  const algorithm = { kind: 'rsa-pkcs1', hash: 'SHA-256' } as const;
  return `${content}.${toBase64Url(await signWith(signer.keys, algorithm, utf8Encode(content)))}`;
}

function encode(value: unknown): string {
  return toBase64Url(utf8Encode(JSON.stringify(value)));
}
