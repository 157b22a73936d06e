import type { Cmw } from '@fastness/attest';
import type { DcapCollateral } from '@fastness/attest/formats/dcap';
import { fromBase64Url, utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import * as z from 'zod';

const schema = z.object({
  tcbInfo: z.string(),
  tcbInfoIssuerChain: z.string(),
  qeIdentity: z.string(),
  qeIdentityIssuerChain: z.string(),
  rootCaCrl: z.string().exactOptional(),
  pckCrl: z.string().exactOptional(),
  pckCertificateChain: z.string().exactOptional(),
});

/** The parts of a set of collateral as they were sent, after the verifier's own reader has read it. */
export function envelopeOf(cmw: Cmw): DcapCollateral {
  const read = schema.safeParse(JSON.parse(utf8Decode(cmw.value)));
  if (!read.success) throw new FastnessError('ATTEST_ENDORSEMENT_MALFORMED', 'Not a set of collateral.');
  const { rootCaCrl, pckCrl, ...texts } = read.data;
  return {
    ...texts,
    ...(rootCaCrl === undefined ? {} : { rootCaCrl: fromBase64Url(rootCaCrl) }),
    ...(pckCrl === undefined ? {} : { pckCrl: fromBase64Url(pckCrl) }),
  };
}
