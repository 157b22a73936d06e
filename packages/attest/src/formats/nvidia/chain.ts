import { equalBytes, plainBytes, toHex } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { extensionOids, verifySignature, type Certificate } from '@fastness/codec/x509';
import { failed, type Checklist } from '../../checks.ts';
import { endorsementVerifier, type VerificationMeans } from '../../means.ts';
import { knownRoot, nameOf, outcomeOf, type SignatureOutcome } from '../../signatures.ts';
import type { NvidiaTrustAnchor } from '../../trust/nvidia.ts';

/** What each check of a chain is called: the chains of devices and of documents are checked alike. */
export interface ChainCodes {
  readonly root: ErrorCode;
  readonly names: ErrorCode;
  readonly key: ErrorCode;
  readonly algorithm: ErrorCode;
  readonly extension: ErrorCode;
  readonly authority: ErrorCode;
  readonly pathLength: ErrorCode;
  readonly leaf: ErrorCode;
  readonly rootSignature: ErrorCode;
  readonly intermediateSignature: ErrorCode;
  readonly leafSignature: ErrorCode;
}

export const deviceCodes: ChainCodes = Object.freeze({
  root: 'NVIDIA_ROOT_NOT_PINNED',
  names: 'NVIDIA_CHAIN_NAMES',
  key: 'NVIDIA_CERTIFICATE_KEY',
  algorithm: 'NVIDIA_CERTIFICATE_ALGORITHM',
  extension: 'NVIDIA_CERTIFICATE_EXTENSION',
  authority: 'NVIDIA_AUTHORITY_CONSTRAINTS',
  pathLength: 'NVIDIA_PATH_LENGTH',
  leaf: 'NVIDIA_LEAF_CONSTRAINTS',
  rootSignature: 'NVIDIA_ROOT_SIGNATURE',
  intermediateSignature: 'NVIDIA_INTERMEDIATE_SIGNATURE',
  leafSignature: 'NVIDIA_LEAF_SIGNATURE',
} as const);

export const documentCodes: ChainCodes = Object.freeze({
  root: 'NVIDIA_RIM_ROOT_NOT_PINNED',
  names: 'NVIDIA_RIM_CHAIN',
  key: 'NVIDIA_RIM_CHAIN',
  algorithm: 'NVIDIA_RIM_CHAIN',
  extension: 'NVIDIA_CERTIFICATE_EXTENSION',
  authority: 'NVIDIA_RIM_CHAIN',
  pathLength: 'NVIDIA_RIM_CHAIN',
  leaf: 'NVIDIA_RIM_CHAIN',
  rootSignature: 'NVIDIA_RIM_CERTIFICATE_SIGNATURE',
  intermediateSignature: 'NVIDIA_RIM_CERTIFICATE_SIGNATURE',
  leafSignature: 'NVIDIA_RIM_CERTIFICATE_SIGNATURE',
} as const);

/** Certificates, leaf first and root last; at least two. */
export interface Chain {
  readonly certificates: readonly Certificate[];
  readonly leaf: Certificate;
  readonly root: Certificate;
  /** Whether the root is, byte for byte, the certificate known for the pinned key. */
  readonly rootKnown: boolean;
}

/** Takes certificates as they came and checks that the last one has a pinned key. Names and positions prove nothing. */
export async function selectChain(
  certificates: readonly Certificate[],
  anchors: readonly NvidiaTrustAnchor[],
  codes: ChainCodes,
  checks: Checklist,
): Promise<Chain> {
  const [leaf] = certificates;
  const root = certificates.at(-1);
  if (leaf === undefined || root === undefined || certificates.length < 2) {
    throw failed(codes.names, { expected: 'at least two certificates', actual: `${certificates.length}` });
  }
  const [spki, whole] = await Promise.all([sha256Hex(root.spki), sha256Hex(root.raw)]);
  const anchor = anchors.find(({ spkiSha256 }) => spkiSha256 === spki);
  checks.require(codes.root, anchor !== undefined, {
    expected: anchors.map(({ spkiSha256 }) => spkiSha256).join(' or ') || 'no root at all',
    actual: spki,
  });
  return { certificates, leaf, root, rootKnown: anchor.certificateSha256 === whole };
}

/** What the certificates of a chain may say, whoever signed them; signatures are verified elsewhere. */
export function checkChainShape({ certificates, leaf }: Chain, codes: ChainCodes, checks: Checklist): void {
  certificates.forEach((certificate, index) => {
    const issuer = certificates[Math.min(index + 1, certificates.length - 1)] ?? certificate;
    const { publicKey: key, signatureAlgorithm: algorithm } = certificate;
    checks.require(codes.names, equalBytes(certificate.issuer.raw, issuer.subject.raw), {
      expected: `${nameOf(certificate)} issued by ${nameOf(issuer)}`,
      actual: certificate.issuer.commonName ?? 'an issuer without a name',
    });
    checks.require(codes.key, key.algorithm === 'EC' && key.curve === 'P-384', {
      expected: 'EC P-384',
      actual: `${nameOf(certificate)}: ${key.algorithm === 'EC' ? `EC ${key.curve}` : key.algorithm}`,
    });
    checks.require(codes.algorithm, algorithm.kind === 'ecdsa' && algorithm.hash === 'SHA-384', {
      expected: 'ECDSA with SHA-384',
      actual: `${nameOf(certificate)}: ${algorithm.kind}${'hash' in algorithm ? ` with ${algorithm.hash}` : ''}`,
    });
    const unknown = [...certificate.extensions].filter(([oid, { critical }]) => critical && !understood.has(oid));
    checks.require(codes.extension, unknown.length === 0, {
      expected: 'no critical extension but basic constraints and key usage',
      actual: `${nameOf(certificate)}: ${unknown.map(([oid]) => oid).join(', ') || 'none'}`,
    });
  });
  certificates.slice(1).forEach((authority, below) => {
    const { basicConstraints, keyUsage } = authority;
    const issues = basicConstraints?.ca === true && keyUsage?.has('keyCertSign') === true;
    checks.require(codes.authority, issues, {
      expected: `${nameOf(authority)} an authority for keyCertSign`,
      actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'} for ${[...(keyUsage ?? [])].join(' and ') || 'nothing'}`,
    });
    const limit = basicConstraints.pathLength ?? Infinity;
    checks.require(codes.pathLength, below <= limit, {
      expected: `at most ${limit} authorities below ${nameOf(authority)}`,
      actual: `${below}`,
    });
  });
  const isAuthority = leaf.basicConstraints?.ca === true || leaf.keyUsage?.has('keyCertSign') === true;
  // An authority's OCSP responder has a certificate with such a purpose; it must sign neither reports nor documents.
  const hasPurpose = leaf.extensions.has(EXTENDED_KEY_USAGE);
  checks.require(codes.leaf, !isAuthority && !hasPurpose && leaf.keyUsage?.has('digitalSignature') === true, {
    expected: 'no authority, for digitalSignature and no other purpose',
    actual: `${isAuthority ? 'an authority' : 'no authority'}, for ${[...(leaf.keyUsage ?? []), ...(hasPurpose ? ['another purpose'] : [])].join(' and ') || 'nothing'}`,
  });
}

/** Verifies every signature in the chain at once. From the root down; none is judged here. */
export async function chainSignatures(
  { certificates, root, rootKnown }: Chain,
  codes: ChainCodes,
  means: VerificationMeans,
): Promise<readonly SignatureOutcome[]> {
  const outcomes = certificates.map(async (certificate, index) => {
    const issuer = certificates[index + 1];
    if (issuer === undefined) {
      return rootKnown ? knownRoot(codes.rootSignature, root) : signedBy(codes.rootSignature, root, root, means);
    }
    return signedBy(index === 0 ? codes.leafSignature : codes.intermediateSignature, certificate, issuer, means);
  });
  return (await Promise.all(outcomes)).toReversed();
}

/** The authorities are judged by {@link checkChainShape}; here only the signature counts. */
export async function signedBy(
  code: ErrorCode,
  child: Certificate,
  issuer: Certificate,
  means: VerificationMeans,
): Promise<SignatureOutcome> {
  const { signatureAlgorithm: algorithm, signature, tbs: message } = child;
  const verifier = endorsementVerifier(means);
  return outcomeOf(code, `${nameOf(issuer)} signed ${nameOf(child)}`, async () =>
    verifySignature({ holder: issuer, algorithm, signature, message, verifier }),
  );
}

/** Both ends of a validity period are included; the last second counts in full, as the dates have no fractions. */
export function isValidAt({ notBefore, notAfter }: Certificate, now: Date): boolean {
  return notBefore <= now && now.getTime() < notAfter.getTime() + 1000;
}

export function periodOf({ notBefore, notAfter }: Certificate): string {
  return `${notBefore.toISOString()} to ${notAfter.toISOString()}`;
}

const EXTENDED_KEY_USAGE = '2.5.29.37';
const understood: ReadonlySet<string> = new Set([extensionOids.basicConstraints, extensionOids.keyUsage]);

async function sha256Hex(bytes: Uint8Array): Promise<string> {
  return toHex(new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', plainBytes(bytes))));
}
