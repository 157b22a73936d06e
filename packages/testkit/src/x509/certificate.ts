import { der } from '@fastness/codec/der';
import type { SignatureAlgorithm } from '@fastness/codec/x509';
import { encodeAlgorithm } from './algorithm.ts';
import { encodeExtension, type ForgedExtension } from './extensions.ts';
import { defaultAlgorithm, signWith, type ForgedKeys } from './keys.ts';
import { encodeName, type ForgedName } from './name.ts';

/** Who signs: a name and a key pair. The two need not belong together. */
export interface ForgedIssuer {
  readonly name: ForgedName;
  readonly keys: ForgedKeys;
}

/** Hooks that make an object wrong in one place. */
export interface ForgedTampering {
  /** The whole `tbs` as it will be signed; the signature holds over what this returns. */
  readonly beforeSigning?: (tbs: Uint8Array) => Uint8Array;
  /** The whole `tbs` as it goes into the object after it was signed. */
  readonly afterSigning?: (tbs: Uint8Array) => Uint8Array;
  readonly signature?: (signature: Uint8Array) => Uint8Array;
  /** AlgorithmIdentifier inside the signed part, DER. */
  readonly innerAlgorithm?: Uint8Array;
  /** AlgorithmIdentifier outside the signed part, DER. */
  readonly outerAlgorithm?: Uint8Array;
}

export interface ForgeCertificateOptions {
  readonly subject: ForgedName;
  /** Key pair of the subject; only its public half goes into the certificate. */
  readonly keys: ForgedKeys;
  /** Absent: self-signed. */
  readonly issuer?: ForgedIssuer;
  readonly validity: { readonly notBefore: Date; readonly notAfter: Date };
  /** Default 1. */
  readonly serial?: number | bigint;
  readonly extensions?: readonly ForgedExtension[];
  /** Default: what the issuer's kind of key signs with ({@link defaultAlgorithm}). */
  readonly signatureAlgorithm?: SignatureAlgorithm;
  /** Value of the version field; default 2, which means version 3. */
  readonly version?: number;
  readonly tamper?: ForgedTampering;
}

/** Writes and signs an X.509 certificate. @returns DER */
export async function forgeCertificate(options: ForgeCertificateOptions): Promise<Uint8Array> {
  const { subject, keys, validity, serial = 1, extensions = [], version = 2, tamper = {} } = options;
  const issuer = options.issuer ?? { name: subject, keys };
  const algorithm = options.signatureAlgorithm ?? defaultAlgorithm(issuer.keys.kind);
  const tbs = der.sequence(
    der.explicit(0, der.integer(version)),
    der.integer(serial),
    tamper.innerAlgorithm ?? encodeAlgorithm(algorithm),
    encodeName(issuer.name),
    der.sequence(der.time(validity.notBefore), der.time(validity.notAfter)),
    encodeName(subject),
    keys.spki,
    ...(extensions.length === 0 ? [] : [der.explicit(3, der.sequence(...extensions.map(encodeExtension)))]),
  );
  return signObject({ tbs, algorithm, keys: issuer.keys, tamper });
}

/** Signs `tbs` and wraps it with algorithm and signature, as certificates and lists are. */
export async function signObject(options: {
  readonly tbs: Uint8Array;
  readonly algorithm: SignatureAlgorithm;
  readonly keys: ForgedKeys;
  readonly tamper: ForgedTampering;
}): Promise<Uint8Array> {
  const { algorithm, keys, tamper } = options;
  const tbs = tamper.beforeSigning?.(options.tbs) ?? options.tbs;
  const signature = await signWith(keys, algorithm, tbs);
  return der.sequence(
    tamper.afterSigning?.(tbs) ?? tbs,
    tamper.outerAlgorithm ?? encodeAlgorithm(algorithm),
    der.bitString(tamper.signature?.(signature) ?? signature),
  );
}
