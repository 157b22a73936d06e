import { amdChainRequest, certificatesOf, vcekRequest, type AmdKeyKind } from './amd/certificates.ts';
import { amdCrlRequest } from './amd/lists.ts';
import { isSnpProduct } from './amd/products.ts';
import { pckCrlRequest, rootCrlRequest } from './intel/lists.ts';
import type { EndorsementSource } from './source.ts';
import { requestOf } from './subjects.ts';
import type { Endorsement } from './types.ts';

/**
 * Fetches one endorsement by its name, without evidence: for caches and bundles that are filled ahead. What it is judged by
 * - AMD's chain, Intel's root - is fetched first and comes first in the result.
 *
 * OCSP answers and what certificates of virtual TPMs name need the certificates: fetch those through their evidence.
 * @throws ENDORSEMENT_SUBJECT_UNKNOWN, ENDORSEMENT_EVIDENCE and what `get` of the source throws
 */
export async function fetchSubject(
  source: EndorsementSource,
  subject: string,
  signal?: AbortSignal,
): Promise<readonly Endorsement[]> {
  const request = requestOf(subject);
  const [vendor, what, first = '', second = '', third = ''] = subject.split('/');
  if (vendor === 'amd' && (what === 'crl' || what === 'vcek')) {
    const kind: AmdKeyKind = what === 'crl' && first === 'vlek' ? 'vlek' : 'vcek';
    const product = what === 'crl' ? second : first;
    if (isSnpProduct(product)) {
      const above = await source.get(amdChainRequest({ kind, product }), signal);
      const chain = certificatesOf(above.item.body);
      const own =
        what === 'crl'
          ? amdCrlRequest({ kind, product, chain })
          : vcekRequest({ product, hwid: second, tcb: third, chain });
      return [above, await source.get(own, signal)];
    }
  }
  if (subject === 'intel/root-crl') {
    const other = await source.get(pckCrlRequest({ ca: 'platform' }), signal);
    const root = other.item.issuerChain.at(-1);
    return [other, await source.get(rootCrlRequest(root === undefined ? {} : { root }), signal)];
  }
  return [await source.get(request, signal)];
}
