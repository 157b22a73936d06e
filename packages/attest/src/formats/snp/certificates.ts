import { equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { Certificate } from '@fastness/codec/x509';
import type { Checklist } from '../../checks.ts';
import { certificateSha256Of, fingerprintsOf } from '../../digest.ts';
import type { VerificationMeans } from '../../means.ts';
import { snpProductNames, type KnownCertificate, type SnpProductName } from '../../trust/anchors.ts';
import { snpProducts, type SnpProduct } from './products.ts';

/**
 * A chain picked from untrusted certificates by name. The names only say which certificate to try: what counts is the
 * pinned root key and the signatures below it, which are verified elsewhere.
 */
export interface Chain {
  readonly product: SnpProduct;
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly ark: Certificate;
  /** Whether `ark` is, byte for byte, the certificate known for the pinned key. */
  readonly arkKnown: boolean;
  /** Whether `intermediate` is, byte for byte, one that the root is known to have issued. */
  readonly intermediateKnown: boolean;
}

/** A root that evidence may end in: its key, and the product it vouches for where that is pinned too. */
export interface AcceptedRoot {
  readonly spkiSha256: string;
  /** The certificate known for the key; it needs no check of its own signature. */
  readonly certificateSha256?: string;
  /** Certificates known to be issued by it; they need no check of its signature. */
  readonly intermediates?: readonly KnownCertificate[];
  /** Absent for the simulated root, whose self-signed name says which product it plays. */
  readonly product?: SnpProductName;
}

type KeyKind = 'vcek' | 'vlek';

const leafNames: Readonly<Record<KeyKind, string>> = Object.freeze({ vcek: 'SEV-VCEK', vlek: 'SEV-VLEK' });
const intermediatePrefixes: Readonly<Record<KeyKind, string>> = Object.freeze({ vcek: 'SEV-', vlek: 'SEV-VLEK-' });
const ROOT_PREFIX = 'ARK-';

/** Picks the chain for a report signed by `kind`. Throws the SNP_ code of the first certificate that is missing or wrong. */
export async function selectChain(
  certificates: readonly Certificate[],
  kind: KeyKind,
  roots: readonly AcceptedRoot[],
  checks: Checklist,
  means: VerificationMeans,
): Promise<Chain> {
  const leaf = selectLeaf(certificates, kind, checks);
  const intermediate = onlyIssuerOf(leaf, certificates, 'SNP_INTERMEDIATE_MISSING');
  const { root, ...selected } = await selectRoot(intermediate, certificates, roots, checks, means);
  const { ark } = selected;

  const name = ark.subject.commonName ?? '';
  const product = root.product ?? snpProductNames.find((candidate) => name === ROOT_PREFIX + candidate);
  checks.require('SNP_ARK_NAME', product !== undefined && name === ROOT_PREFIX + product, {
    expected: product === undefined ? `${ROOT_PREFIX} and a product` : ROOT_PREFIX + product,
    actual: name,
  });
  const chain = { product: snpProducts[product], leaf, intermediate, ...selected };
  checks.require(
    'SNP_INTERMEDIATE_KIND_MISMATCH',
    intermediate.subject.commonName === intermediatePrefixes[kind] + chain.product.name,
    {
      expected: intermediatePrefixes[kind] + chain.product.name,
      actual: intermediate.subject.commonName ?? 'no name',
    },
  );
  return chain;
}

function selectLeaf(certificates: readonly Certificate[], kind: KeyKind, checks: Checklist): Certificate {
  const named = (name: string) => certificates.filter((certificate) => certificate.subject.commonName === name);
  const leaves = named(leafNames[kind]);
  const others = [...named(leafNames.vcek), ...named(leafNames.vlek)];
  if (others.length === 0) throw new FastnessError('SNP_LEAF_MISSING', `The report names a ${kind.toUpperCase()}.`);
  checks.require('SNP_LEAF_KIND_MISMATCH', leaves.length > 0, {
    expected: leafNames[kind],
    actual: (leaves[0] ?? others[0])?.subject.commonName ?? 'no name',
  });
  return only(leaves);
}

/** The root may come in several certificates of one key; any that is pinned will do. */
async function selectRoot(
  intermediate: Certificate,
  certificates: readonly Certificate[],
  roots: readonly AcceptedRoot[],
  checks: Checklist,
  means: VerificationMeans,
): Promise<Pick<Chain, 'ark' | 'arkKnown' | 'intermediateKnown'> & { root: AcceptedRoot }> {
  const candidates = issuersOf(intermediate, certificates);
  if (candidates.length === 0)
    throw new FastnessError('SNP_ARK_MISSING', `Issuer ${intermediate.issuer.commonName ?? 'without a name'}.`);
  const anyKnown = roots.some(({ intermediates = [] }) => intermediates.length > 0);
  const [known, ...digested] = await Promise.all([
    anyKnown ? certificateSha256Of(intermediate, means) : undefined,
    ...candidates.map(async (ark) => {
      const { spki, whole } = await fingerprintsOf(ark, means);
      return { ark, spki, whole };
    }),
  ]);
  const [first] = digested.flatMap(({ ark, spki, whole }) => {
    const root = roots.find((accepted) => accepted.spkiSha256 === spki);
    if (root === undefined) return [];
    const intermediateKnown = root.intermediates?.some(({ certificateSha256 }) => certificateSha256 === known) === true;
    return [{ ark, root, arkKnown: root.certificateSha256 === whole, intermediateKnown }];
  });
  checks.require('SNP_ARK_NOT_PINNED', first !== undefined, {
    expected: roots.map((root) => root.spkiSha256).join(' or ') || 'no root at all',
    actual: digested.map(({ spki }) => spki).join(', '),
  });
  return first;
}

function onlyIssuerOf(
  child: Certificate,
  certificates: readonly Certificate[],
  missing: 'SNP_INTERMEDIATE_MISSING',
): Certificate {
  const issuers = issuersOf(child, certificates);
  if (issuers.length === 0) throw new FastnessError(missing, `Issuer ${child.issuer.commonName ?? 'without a name'}.`);
  return only(issuers);
}

function issuersOf(child: Certificate, certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter((candidate) => candidate !== child && equalBytes(candidate.subject.raw, child.issuer.raw));
}

function only(candidates: readonly Certificate[]): Certificate {
  const [first, second] = candidates;
  if (first === undefined || second !== undefined) {
    throw new FastnessError(
      'SNP_CERTIFICATES_AMBIGUOUS',
      `${candidates.length} certificates named ${first?.subject.commonName ?? ''}.`,
    );
  }
  return first;
}
