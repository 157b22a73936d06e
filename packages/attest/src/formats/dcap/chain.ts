import { equalBytes } from '@fastness/codec';
import type { Certificate } from '@fastness/codec/x509';
import { anyOf, type Checklist } from '../../checks.ts';
import { fingerprintsOf } from '../../digest.ts';
import type { VerificationMeans } from '../../means.ts';
import { nameOf } from '../../signatures.ts';
import { isoOf } from '../../time.ts';
import type { IntelTrustAnchor } from '../../trust/anchors.ts';

/** The certificates between a pinned root and a quote. */
export interface PckChain {
  readonly leaf: Certificate;
  readonly issuer: Certificate;
  readonly root: Certificate;
  /** Whether `root` is, byte for byte, the certificate known for the pinned key. */
  readonly rootKnown: boolean;
}

const LEAF = 'Intel SGX PCK Certificate';
const ISSUERS: readonly string[] = ['Intel SGX PCK Platform CA', 'Intel SGX PCK Processor CA'];
const TCB_SIGNER = 'Intel SGX TCB Signing';

/**
 * The chain of the quote, leaf first. The root is found by its key: Intel's own samples carry a root of the right name and
 * another key. Names only tell apart the roles that one root gives out.
 */
export async function selectPckChain(
  certificates: readonly Certificate[],
  anchors: readonly IntelTrustAnchor[],
  checks: Checklist,
  means: VerificationMeans,
): Promise<PckChain> {
  checks.require('DCAP_PCK_MISSING', certificates.length > 0, {
    expected: 'a PCK certificate in the quote or handed in',
    actual: certificates.length > 0 ? `${certificates.length} certificates` : 'none',
  });
  const [leaf, issuer, root] = certificates;
  const complete = leaf !== undefined && issuer !== undefined && root !== undefined;
  checks.require('DCAP_PCK_CHAIN', complete, {
    expected: 'PCK certificate, its issuer and the root',
    actual: `${certificates.length} certificates`,
  });
  const { spki: actual, whole } = await fingerprintsOf(root, means);
  const anchor = anchors.find(({ spkiSha256 }) => spkiSha256 === actual);
  checks.require('DCAP_ROOT_NOT_PINNED', anchor !== undefined, {
    expected: anyOf(anchors.map(({ spkiSha256 }) => spkiSha256)),
    actual,
  });
  const names = [nameOf(leaf), nameOf(issuer)];
  checks.require('DCAP_PCK_ISSUER', names[0] === LEAF && ISSUERS.includes(nameOf(issuer)), {
    expected: `${LEAF} of ${anyOf(ISSUERS)}`,
    actual: names.join(' of '),
  });
  checks.require('DCAP_PCK_IS_CA', leaf.basicConstraints?.ca !== true, {
    expected: 'a leaf',
    actual: leaf.basicConstraints?.ca === true ? 'an authority' : 'a leaf',
  });
  return { leaf, issuer, root, rootKnown: anchor.certificateSha256 === whole };
}

/** The certificate that signed TCB info or an identity. Its root must have the very key that the quote's chain ends in. */
export function selectTcbSigner(chain: readonly Certificate[], quoteRoot: Certificate, checks: Checklist): Certificate {
  const [signer, root] = chain;
  const complete = signer !== undefined && root !== undefined && nameOf(signer) === TCB_SIGNER;
  checks.require('DCAP_TCB_SIGNER', complete, {
    expected: `${TCB_SIGNER} and its root`,
    actual: chain.map((certificate) => nameOf(certificate)).join(', '),
  });
  checks.require('DCAP_TCB_ROOT_MISMATCH', equalBytes(root.spki, quoteRoot.spki), {
    expected: 'the root that the chain of the quote ends in',
    actual: equalBytes(root.spki, quoteRoot.spki) ? 'the same key' : `another key named ${nameOf(root)}`,
  });
  return signer;
}

/** Both ends included; dates have whole seconds. */
export function checkCertificateWindows(certificates: readonly Certificate[], now: Date, checks: Checklist): void {
  const actual = isoOf(now);
  const outside = certificates.find(
    ({ notBefore, notAfter }) => now < notBefore || now.getTime() >= notAfter.getTime() + 1000,
  );
  checks.require('DCAP_CERTIFICATE_VALIDITY', outside === undefined, {
    expected:
      outside === undefined
        ? 'the time within every certificate'
        : `${nameOf(outside)} from ${isoOf(outside.notBefore)} to ${isoOf(outside.notAfter)}`,
    actual,
  });
}
