import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, type Certificate } from '@fastness/codec/x509';
import { parseOmsBundle, type OmsBundle } from './bundle.ts';
import { verifyCertificateChain } from './certificate-chain.ts';
import { sha256 } from './digest.ts';
import { preAuthEncoding } from './dsse.ts';
import { parseStatement, type ModelStatement } from './statement.ts';
import { importVerifyKey, keyIdOf, signatureFits, type VerifyKey } from './verify-key.ts';

/** Curves of OMS: each with the hash of its size. */
const omsAlgorithms = ['P-256', 'P-384', 'P-521'] as const;

/**
 * Keys that may have signed; one of them must have. SubjectPublicKeyInfo DER. A signature by certificate counts if the
 * signing certificate is for one of these keys; what else it says (names, times, issuer) is neither checked nor needed then.
 */
export interface KeyTrust {
  readonly publicKeys: readonly Uint8Array[];
}

/** Roots that the signing certificate must lead to. Revocation is not checked: give short-lived certificates. */
export interface CertificateTrust {
  readonly roots: readonly Uint8Array[];
  /** Further certificates that may link the chain, DER; those in the bundle are used as well. */
  readonly intermediates?: readonly Uint8Array[];
  readonly now: Date;
  /**
   * When the chain must be valid. Absent: at `now`. 'unattested-not-before' takes the signing certificate's own start
   * instead, as the reference tool does: nothing attests when the signature was made, so a key that leaks after its
   * certificate expired goes on signing. Only for archives whose age is known otherwise.
   */
  readonly chainValidAt?: 'now' | 'unattested-not-before';
}

export type VerifyOmsOptions = { readonly bundle: string | OmsBundle } & (KeyTrust | CertificateTrust);

/** An authentic OMS signature. */
export interface VerifiedOms {
  readonly statement: ModelStatement;
  /** SHA-256 of the signed payload, 32 bytes. */
  readonly payloadDigest: Uint8Array;
  /** The exact bytes that were signed. */
  readonly payload: Uint8Array;
  readonly signer: {
    readonly method: 'key' | 'certificate';
    /** Hex SHA-256 of the signing public key's PEM. */
    readonly keyId: string;
    /** Index of the signature in the envelope that verified. */
    readonly signatureIndex: number;
    /** Common name of the signing certificate, where one was used. */
    readonly commonName?: string;
  };
}

/**
 * Verifies an OMS signature: some signature of the envelope, whichever its place, must be by a key that you trust.
 * What is on disk is not looked at; compare it with the statement's resources.
 * Errors: those of `parseOmsBundle`, OMS_METHOD_UNSUPPORTED, OMS_METHOD_MISMATCH, OMS_KEY_UNSUPPORTED,
 * OMS_KEY_UNKNOWN, OMS_CERTIFICATE_*, OMS_SIGNATURE, those of `parseStatement`.
 */
export async function verifyOmsBundle(options: VerifyOmsOptions): Promise<VerifiedOms> {
  const bundle = typeof options.bundle === 'string' ? parseOmsBundle(options.bundle) : options.bundle;
  const { envelope, method } = bundle;
  if (method.kind === 'sigstore') throw new FastnessError('OMS_METHOD_UNSUPPORTED');
  const trusted = 'publicKeys' in options ? await trustedKeys(bundle, options) : await certifiedKey(bundle, options);
  const signed = preAuthEncoding(envelope.payloadType, envelope.payload);
  for (const key of trusted.keys) {
    for (const [signatureIndex, { signature }] of envelope.signatures.entries()) {
      if (!(await signatureFits(key, signature, signed))) continue;
      return {
        statement: await parseStatement(envelope.payload),
        payloadDigest: await sha256(envelope.payload),
        payload: envelope.payload,
        signer: { method: method.kind, keyId: key.id, signatureIndex, ...trusted.name },
      };
    }
  }
  throw new FastnessError('OMS_SIGNATURE');
}

interface TrustedKeys {
  readonly keys: readonly VerifyKey[];
  readonly name: { readonly commonName?: string };
}

async function trustedKeys({ method }: OmsBundle, { publicKeys }: KeyTrust): Promise<TrustedKeys> {
  if (publicKeys.length === 0) throw new FastnessError('OMS_KEY_UNKNOWN', 'No key was given.');
  const all = await Promise.all(publicKeys.map((spki) => importVerifyKey(spki, omsAlgorithms)));
  if (method.kind === 'sigstore') throw new FastnessError('OMS_METHOD_UNSUPPORTED');
  const hint =
    method.kind === 'key' ? method.keyHint : await keyIdOf(signingCertificateOf(method.certificates[0]).spki);
  if (hint === undefined) return { keys: all, name: {} };
  const hinted = all.filter((key) => key.id === hint);
  if (hinted.length === 0) throw new FastnessError('OMS_KEY_UNKNOWN');
  return { keys: hinted, name: {} };
}

async function certifiedKey({ method }: OmsBundle, trust: CertificateTrust): Promise<TrustedKeys> {
  if (method.kind !== 'certificate') throw new FastnessError('OMS_METHOD_MISMATCH');
  const certificates = [...method.certificates, ...(trust.intermediates ?? [])];
  const at =
    trust.chainValidAt === 'unattested-not-before' ? signingCertificateOf(method.certificates[0]).notBefore : trust.now;
  const certificate = await verifyCertificateChain({ certificates, roots: trust.roots, at });
  const { commonName } = certificate.subject;
  return {
    keys: [await importVerifyKey(certificate.spki, omsAlgorithms)],
    name: commonName === undefined ? {} : { commonName },
  };
}

function signingCertificateOf(der: Uint8Array | undefined): Certificate {
  try {
    return parseCertificate(der ?? new Uint8Array(0));
  } catch (cause) {
    throw new FastnessError('OMS_CERTIFICATE_CHAIN', 'The signing certificate does not parse.', { cause });
  }
}
