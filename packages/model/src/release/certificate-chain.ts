import { equalBytes } from '@fastness/codec/bytes';
import { readDerSequence } from '@fastness/codec/der';
import { FastnessError } from '@fastness/codec/errors';
import { parseCertificate, verifyChain, verifySignedBy, type Certificate } from '@fastness/codec/x509';

const extendedKeyUsageOid = '2.5.29.37';
const codeSigningOid = '1.3.6.1.5.5.7.3.3';

/** Certificates between the signing one and the root, at most. */
const maxIntermediates = 6;

export interface CertificateChainOptions {
  /** The signing certificate first, then any others, DER. The signer wrote them; nobody vouches for them yet. */
  readonly certificates: readonly Uint8Array[];
  /** DER. Trust ends here; a root need not be self-signed. */
  readonly roots: readonly Uint8Array[];
  readonly at: Date;
}

/**
 * Builds and checks a chain from the signing certificate to one of the roots (RFC 5280, section 6, without policies,
 * name constraints and revocation; a critical extension that would need them is refused). Returns the signing
 * certificate. Errors: OMS_CERTIFICATE_CHAIN, OMS_CERTIFICATE_TIME, OMS_CERTIFICATE_USAGE.
 */
export async function verifyCertificateChain(options: CertificateChainOptions): Promise<Certificate> {
  const [signing, ...others] = parseAll(options.certificates);
  const roots = parseAll(options.roots);
  if (signing === undefined) throw new FastnessError('OMS_CERTIFICATE_CHAIN', 'There is no certificate.');
  const chain = await findChain(signing, others, roots);
  if (chain === undefined) throw new FastnessError('OMS_CERTIFICATE_CHAIN');
  try {
    await verifyChain({ chain, now: options.at, understood: [extendedKeyUsageOid] });
  } catch (cause) {
    if (!(cause instanceof FastnessError)) throw cause;
    const untimely = cause.code === 'X509_EXPIRED' || cause.code === 'X509_NOT_YET_VALID';
    throw new FastnessError(untimely ? 'OMS_CERTIFICATE_TIME' : 'OMS_CERTIFICATE_CHAIN', cause.message, { cause });
  }
  checkSigningUsage(signing);
  return signing;
}

/**
 * The shortest way to a root over candidates whose signature really made the certificate below them; names alone prove
 * nothing. Each candidate is taken once: certificates that vouch for each other would make a search of all ways endless.
 */
async function findChain(
  signing: Certificate,
  others: readonly Certificate[],
  roots: readonly Certificate[],
): Promise<Certificate[] | undefined> {
  let left = others.filter((each) => !equalBytes(each.raw, signing.raw));
  let ways = [[signing]];
  for (let length = 0; length <= maxIntermediates && ways.length > 0; length += 1) {
    const further: Certificate[][] = [];
    for (const way of ways) {
      const last = way.at(-1) ?? signing;
      for (const root of roots) {
        if (equalBytes(root.raw, last.raw)) return way;
        if (await isIssuedBy(last, root)) return [...way, root];
      }
      const rest: Certificate[] = [];
      for (const candidate of left) {
        if (await isIssuedBy(last, candidate)) further.push([...way, candidate]);
        else rest.push(candidate);
      }
      left = rest;
    }
    ways = further;
  }
  return undefined;
}

async function isIssuedBy(child: Certificate, issuer: Certificate): Promise<boolean> {
  try {
    await verifySignedBy(child, issuer);
    return true;
  } catch (error) {
    // Another candidate of the same name may be the right one.
    if (error instanceof FastnessError) return false;
    throw error;
  }
}

function parseAll(certificates: readonly Uint8Array[]): Certificate[] {
  try {
    return certificates.map(parseCertificate);
  } catch (cause) {
    throw new FastnessError('OMS_CERTIFICATE_CHAIN', 'A certificate does not parse.', { cause });
  }
}

/** At least one usage must say "signature", and none that is present may say otherwise (the reference takes either). */
function checkSigningUsage(certificate: Certificate): void {
  const extended = certificate.extensions.get(extendedKeyUsageOid);
  const { keyUsage } = certificate;
  const allowed =
    (keyUsage !== undefined || extended !== undefined) &&
    (keyUsage === undefined || keyUsage.has('digitalSignature')) &&
    (extended === undefined || readExtendedUsages(extended.value).includes(codeSigningOid));
  if (!allowed) throw new FastnessError('OMS_CERTIFICATE_USAGE');
}

function readExtendedUsages(value: Uint8Array): string[] {
  try {
    return readDerSequence(value, (list) => {
      const usages: string[] = [];
      while (list.remaining > 0) usages.push(list.oid());
      return usages;
    });
  } catch (cause) {
    throw new FastnessError('OMS_CERTIFICATE_CHAIN', 'An extended key usage does not parse.', { cause });
  }
}
