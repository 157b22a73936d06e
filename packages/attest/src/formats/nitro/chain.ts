import { equalBytes } from '@fastness/codec';
import { extensionOids, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { fingerprintsOf } from '../../digest.ts';
import type { VerificationMeans } from '../../means.ts';
import { nameOf } from '../../signatures.ts';
import { isoOf } from '../../time.ts';
import type { NitroTrustAnchor } from '../../trust/aws.ts';

/** The certificates of a document in the order of its bundle: root, intermediates, leaf. */
export interface Chain {
  readonly root: Certificate;
  /** From the one that the root issued to the one that issued the leaf; may be empty. */
  readonly intermediates: readonly Certificate[];
  readonly leaf: Certificate;
  /** Whether `root` is, byte for byte, the certificate known for the pinned key. */
  readonly rootKnown: boolean;
}

const HOUR = 3_600_000;
/** AWS's leaves live for three hours. AWS revokes none of them, so a long life would make a leaked key good for as long. */
const MAX_LEAF_HOURS = 24;

/** Takes the chain as it came and checks that its root has a pinned key. Names and positions prove nothing. */
export async function selectChain(
  authorities: readonly Certificate[],
  leaf: Certificate,
  anchors: readonly NitroTrustAnchor[],
  checks: Checklist,
  means: VerificationMeans,
): Promise<Chain> {
  const [root = leaf, ...intermediates] = authorities;
  const { spki, whole } = await fingerprintsOf(root, means);
  const anchor = anchors.find(({ spkiSha256 }) => spkiSha256 === spki);
  checks.require('NITRO_ROOT_NOT_PINNED', anchor !== undefined, {
    expected: anchors.map(({ spkiSha256 }) => spkiSha256).join(' or ') || 'no root at all',
    actual: spki,
  });
  return { root, intermediates, leaf, rootKnown: anchor.certificateSha256 === whole };
}

/** What the certificates of a chain may say, whoever signed them; signatures are verified elsewhere. */
export function checkChainShape({ root, intermediates, leaf }: Chain, checks: Checklist): void {
  const authorities = [root, ...intermediates];
  const all = [...authorities, leaf];
  all.forEach((certificate, index) => {
    const issuer = all[Math.max(index - 1, 0)] ?? root;
    checks.require('NITRO_CHAIN_NAMES', equalBytes(certificate.issuer.raw, issuer.subject.raw), {
      expected: `${nameOf(certificate)} issued by ${nameOf(issuer)}`,
      actual: certificate.issuer.commonName ?? 'an issuer without a name',
    });
  });
  for (const certificate of all) checkKeys(certificate, checks);
  authorities.forEach((authority, index) => {
    const { basicConstraints, keyUsage } = authority;
    const sound = basicConstraints?.ca === true && keyUsage?.has('keyCertSign') === true;
    checks.require('NITRO_AUTHORITY_CONSTRAINTS', sound, {
      expected: `${nameOf(authority)} an authority for keyCertSign`,
      actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'} for ${[...(keyUsage ?? [])].join(' and ') || 'nothing'}`,
    });
    const limit = basicConstraints.pathLength ?? Infinity;
    const below = authorities.length - 1 - index;
    checks.require('NITRO_PATH_LENGTH', below <= limit, {
      expected: `at most ${limit} authorities below ${nameOf(authority)}`,
      actual: `${below}`,
    });
  });
  const isAuthority = leaf.basicConstraints?.ca === true || leaf.keyUsage?.has('keyCertSign') === true;
  const signs = leaf.keyUsage?.has('digitalSignature') === true;
  checks.require('NITRO_LEAF_CONSTRAINTS', !isAuthority && signs, {
    expected: 'no authority, for digitalSignature',
    actual: `${isAuthority ? 'an authority' : 'no authority'}, for ${[...(leaf.keyUsage ?? [])].join(' and ') || 'nothing'}`,
  });
}

/** Both ends of every validity period are included; the last second counts in full, as the dates have no fractions. */
export function checkValidity({ root, intermediates, leaf }: Chain, now: Date, checks: Checklist): void {
  const periods = [
    ['NITRO_ROOT_VALIDITY', root] as const,
    ...intermediates.map((certificate) => ['NITRO_INTERMEDIATE_VALIDITY', certificate] as const),
    ['NITRO_LEAF_VALIDITY', leaf] as const,
  ];
  for (const [code, { notBefore, notAfter }] of periods) {
    checks.require(code, notBefore <= now && now.getTime() < notAfter.getTime() + 1000, {
      expected: `${isoOf(notBefore)} to ${isoOf(notAfter)}`,
      actual: isoOf(now),
    });
  }
  const hours = (leaf.notAfter.getTime() - leaf.notBefore.getTime()) / HOUR;
  checks.require('NITRO_LEAF_LIFETIME', hours <= MAX_LEAF_HOURS, {
    expected: `at most ${MAX_LEAF_HOURS} hours`,
    actual: `${Math.round(hours * 100) / 100} hours`,
  });
}

/** AWS names the leaf after the module that it was issued to; so a document speaks for its own module only. */
export function checkModule(leaf: Certificate, moduleId: string, checks: Checklist): void {
  const name = leaf.subject.commonName ?? '';
  checks.require('NITRO_MODULE_MISMATCH', name.startsWith(`${moduleId}.`), {
    expected: `a leaf named after ${moduleId}`,
    actual: name || 'no name',
  });
}

function checkKeys(certificate: Certificate, checks: Checklist): void {
  const { publicKey: key, signatureAlgorithm: algorithm, extensions } = certificate;
  checks.require('NITRO_CERTIFICATE_KEY', key.algorithm === 'EC' && key.curve === 'P-384', {
    expected: 'EC P-384',
    actual: `${nameOf(certificate)}: ${key.algorithm === 'EC' ? `EC ${key.curve}` : key.algorithm}`,
  });
  checks.require('NITRO_CERTIFICATE_ALGORITHM', algorithm.kind === 'ecdsa' && algorithm.hash === 'SHA-384', {
    expected: 'ECDSA with SHA-384',
    actual: `${nameOf(certificate)}: ${algorithm.kind}${'hash' in algorithm ? ` with ${algorithm.hash}` : ''}`,
  });
  const understood: ReadonlySet<string> = new Set([extensionOids.basicConstraints, extensionOids.keyUsage]);
  const unknown = [...extensions].find(([oid, { critical }]) => critical && !understood.has(oid));
  checks.require('NITRO_CERTIFICATE_EXTENSION', unknown === undefined, {
    expected: 'no unknown critical extension',
    actual: `${nameOf(certificate)}: ${unknown?.[0] ?? 'none'}`,
  });
}
