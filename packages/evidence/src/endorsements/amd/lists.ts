import type { SnpProductName } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { parseCrl, verifySignedBy } from '@fastness/codec/x509';
import { under, withoutQuery } from '../http/url.ts';
import { ageOfCrl, readable, readChain, vouched } from '../judge.ts';
import { DAILY, type EndorsementRequest } from '../types.ts';
import { verifyAmdChain, type AmdKeyKind } from './certificates.ts';

const MAX_LIST = 4 << 20;

/**
 * The list of revoked intermediates of a product, which its ARK signs. `chain`: ASK or ASVK and ARK, DER, which the list is
 * judged by. AMD serves one list at the address of the VCEK and at that of the VLEK.
 */
export function amdCrlRequest(options: {
  readonly kind: AmdKeyKind;
  readonly product: SnpProductName;
  readonly chain?: readonly Uint8Array[];
}): EndorsementRequest {
  const { kind, product, chain } = options;
  const subject = `amd/crl/${kind}/${product}`;
  return Object.freeze<EndorsementRequest>({
    subject,
    mediaType: 'application/pkix-crl',
    signed: true,
    replaceable: false,
    refreshAfterMs: DAILY,
    maxBytes: MAX_LIST,
    url: ({ amd }) => under(amd, `/${kind}/v1/${product}/crl`),
    receive: ({ body, url }) => {
      if (chain === undefined)
        throw new FastnessError('ENDORSEMENT_EVIDENCE', `${withoutQuery(url)}: no chain to judge it by.`);
      return { body, issuerChain: chain };
    },
    judge: async (item, judgeOptions) => {
      const issuers = await readChain(subject, item.issuerChain);
      const crl = await readable(subject, () => parseCrl(item.body));
      await verifyAmdChain(subject, issuers, kind, product, judgeOptions);
      const root = issuers.at(-1);
      await vouched(subject, async () => {
        if (root !== undefined) await verifySignedBy(crl, root);
      });
      return ageOfCrl(subject, crl, root === undefined ? [] : [root]);
    },
  });
}
