import type { ErrorCode } from '@fastness/codec/errors';
import { extensionOids, type Certificate, type KeyUsage } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { isoOf } from '../../time.ts';
import type { Chain } from './certificates.ts';

/** What the certificates of a chain may say, whoever signed them; signatures are verified elsewhere. */
export function checkChainShape(chain: Chain, checks: Checklist): void {
  const { ark, intermediate, leaf } = chain;
  for (const certificate of [ark, intermediate, leaf]) checkAlgorithm(certificate, checks);
  for (const certificate of [ark, intermediate, leaf]) checkExtensions(certificate, checks);
  checkAuthority('SNP_ARK_CONSTRAINTS', ark, ['keyCertSign', 'cRLSign'], checks);
  checkAuthority('SNP_INTERMEDIATE_CONSTRAINTS', intermediate, ['keyCertSign'], checks);
  const isAuthority = leaf.basicConstraints?.ca === true || leaf.keyUsage?.has('keyCertSign') === true;
  checks.require('SNP_LEAF_CONSTRAINTS', !isAuthority, {
    expected: 'no authority',
    actual: isAuthority ? 'an authority' : 'no authority',
  });
  const key = leaf.publicKey;
  checks.require('SNP_LEAF_KEY', key.algorithm === 'EC' && key.curve === 'P-384', {
    expected: 'EC P-384',
    actual: key.algorithm === 'EC' ? `EC ${key.curve}` : key.algorithm,
  });
}

/** Both ends of every validity period are included; the last second counts in full, as the dates have no fractions. */
export function checkValidity(chain: Chain, now: Date, checks: Checklist): void {
  const periods = [
    ['SNP_ARK_VALIDITY', chain.ark],
    ['SNP_INTERMEDIATE_VALIDITY', chain.intermediate],
    ['SNP_LEAF_VALIDITY', chain.leaf],
  ] as const;
  for (const [code, { notBefore, notAfter }] of periods) {
    checks.require(code, notBefore <= now && now.getTime() < notAfter.getTime() + 1000, {
      expected: `${isoOf(notBefore)} to ${isoOf(notAfter)}`,
      actual: isoOf(now),
    });
  }
}

/** The length of the salt is that of the hash: the reader accepts no other. The root signs itself and the intermediate. */
function checkAlgorithm(certificate: Certificate, checks: Checklist): void {
  const { signatureAlgorithm: algorithm, subject } = certificate;
  checks.require('SNP_CERTIFICATE_ALGORITHM', algorithm.kind === 'rsa-pss' && algorithm.hash === 'SHA-384', {
    expected: 'RSA-PSS with SHA-384',
    actual: `${subject.commonName ?? ''}: ${algorithm.kind}${'hash' in algorithm ? ` with ${algorithm.hash}` : ''}`,
  });
}

function checkExtensions(certificate: Certificate, checks: Checklist): void {
  const understood: ReadonlySet<string> = new Set([extensionOids.basicConstraints, extensionOids.keyUsage]);
  const unknown = [...certificate.extensions].find(([oid, { critical }]) => critical && !understood.has(oid));
  checks.require('SNP_CERTIFICATE_EXTENSION', unknown === undefined, {
    expected: 'no unknown critical extension',
    actual: `${certificate.subject.commonName ?? ''}: ${unknown?.[0] ?? 'none'}`,
  });
}

function checkAuthority(
  code: ErrorCode,
  certificate: Certificate,
  usages: readonly KeyUsage[],
  checks: Checklist,
): void {
  const { basicConstraints, keyUsage, publicKey } = certificate;
  const missing = usages.filter((usage) => keyUsage?.has(usage) !== true);
  const sound = basicConstraints?.ca === true && missing.length === 0 && publicKey.algorithm === 'RSA';
  checks.require(code, sound, {
    expected: `an authority with an RSA key for ${usages.join(' and ')}`,
    actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'} with a key of type ${publicKey.algorithm} for ${[...(keyUsage ?? [])].join(' and ') || 'nothing'}`,
  });
}
