import { equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { extensionOids, verifySignature, type Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { endorsementVerifier, type VerificationMeans } from '../../means.ts';

/**
 * Critical extensions that this chain reader knows. Extended key usages are read over: the authorities here certify keys of
 * one service, and what the leaf may do is said by its key usage.
 */
const understood: ReadonlySet<string> = new Set([extensionOids.basicConstraints, extensionOids.keyUsage, '2.5.29.37']);

/**
 * Checks a chain from the key of a token (first) to a pinned authority (last, trusted for its key): names, constraints,
 * dates and signatures.
 */
export async function requireChain(
  chain: readonly Certificate[],
  { now, means }: { readonly now: Date; readonly means: VerificationMeans },
  checks: Checklist,
): Promise<void> {
  checkShape(chain, checks);
  for (const certificate of chain) checkValidity(certificate, now, checks);
  for (const [index, child] of chain.entries()) {
    const issuer = chain[index + 1];
    if (issuer !== undefined) await checkSignature(child, issuer, means, checks);
  }
}

function checkShape(chain: readonly Certificate[], checks: Checklist): void {
  for (const [index, certificate] of chain.entries()) {
    const name = nameOf(certificate);
    const issuer = chain[index + 1];
    if (issuer !== undefined) {
      checks.require('TOKEN_CHAIN_NAMES', equalBytes(certificate.issuer.raw, issuer.subject.raw), {
        expected: `${name} issued by ${nameOf(issuer)}`,
        actual: certificate.issuer.commonName ?? 'an issuer without a name',
      });
    }
    const unknown = [...certificate.extensions].find(([oid, { critical }]) => critical && !understood.has(oid));
    checks.require('TOKEN_CHAIN_EXTENSION', unknown === undefined, {
      expected: `no unknown critical extension in ${name}`,
      actual: unknown?.[0] ?? 'none',
    });
    if (index === 0) checkLeaf(certificate, checks);
    else checkAuthority(certificate, index - 1, checks);
  }
}

function checkLeaf({ basicConstraints, keyUsage }: Certificate, checks: Checklist): void {
  const signs = keyUsage === undefined || keyUsage.has('digitalSignature');
  checks.require('TOKEN_LEAF_CONSTRAINTS', basicConstraints?.ca !== true && signs, {
    expected: 'no authority, for digitalSignature',
    actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'}, for ${[...(keyUsage ?? ['anything'])].join(' and ')}`,
  });
}

/** `below`: authorities between this one and the leaf. */
function checkAuthority(certificate: Certificate, below: number, checks: Checklist): void {
  const { basicConstraints, keyUsage } = certificate;
  const limit = basicConstraints?.pathLength ?? Infinity;
  const issues = keyUsage === undefined || keyUsage.has('keyCertSign');
  checks.require('TOKEN_AUTHORITY_CONSTRAINTS', basicConstraints?.ca === true && issues && below <= limit, {
    expected: `${nameOf(certificate)} an authority for keyCertSign, with ${below} below it`,
    actual: `${basicConstraints?.ca === true ? 'an authority' : 'no authority'}, ${issues ? 'for keyCertSign' : 'not for keyCertSign'}, at most ${limit} below`,
  });
}

function checkValidity(certificate: Certificate, now: Date, checks: Checklist): void {
  const { notBefore, notAfter } = certificate;
  checks.require('TOKEN_CHAIN_VALIDITY', notBefore <= now && now.getTime() < notAfter.getTime() + 1000, {
    expected: `${nameOf(certificate)}: ${notBefore.toISOString()} to ${notAfter.toISOString()}`,
    actual: now.toISOString(),
  });
}

async function checkSignature(
  child: Certificate,
  issuer: Certificate,
  means: VerificationMeans,
  checks: Checklist,
): Promise<void> {
  const { signatureAlgorithm: algorithm, signature, tbs: message } = child;
  let holds = true;
  try {
    await verifySignature({ holder: issuer, algorithm, signature, message, verifier: endorsementVerifier(means) });
  } catch (error) {
    if (!(error instanceof FastnessError) || error.code !== 'X509_SIGNATURE') throw error;
    holds = false;
  }
  checks.require('TOKEN_CHAIN_SIGNATURE', holds, {
    expected: `${nameOf(issuer)} signed ${nameOf(child)}`,
    actual: holds ? 'it did' : 'it did not',
  });
}

function nameOf({ subject }: Certificate): string {
  return subject.commonName ?? 'a certificate without a name';
}
