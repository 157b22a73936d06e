// One TDX quote, verified. The same code runs in Node and in a browser: no network, no clock of its own, no roots of its own.
import {
  CMW_EVIDENCE,
  checksOf,
  parseAttestationPolicy,
  TDX_QUOTE_TYPE,
  vendorAnchors,
  verifyEvidence,
  type TrustAnchors,
} from '@fastness/attest';
import { encodeDcapCollateral, type DcapCollateral } from '@fastness/attest/formats/tdx';

export async function verifyQuote(given: {
  /** As the driver returned it. */
  quote: Uint8Array;
  /** As Intel's service or your PCCS sent it, byte for byte. */
  collateral: DcapCollateral;
  /** The 64 bytes that you asked the guest to bind: without them, old evidence passes for new. */
  reportData: Uint8Array;
  /** Content of a policy file: see policy.md. */
  policy: unknown;
  now: Date;
  anchors?: TrustAnchors;
}): Promise<string> {
  try {
    const { claims, waivers } = await verifyEvidence({
      evidence: { type: TDX_QUOTE_TYPE, value: given.quote, ind: CMW_EVIDENCE },
      endorsements: [encodeDcapCollateral(given.collateral)],
      policy: parseAttestationPolicy(given.policy),
      anchors: given.anchors ?? vendorAnchors,
      expectedReportData: given.reportData,
      now: given.now,
    });
    const waived = waivers.map(({ check, reason }) => ` (waived: ${check}, ${reason})`).join('');
    return `${claims.tee} ${claims.measurement} on ${claims.identity.value}${waived}`;
  } catch (error) {
    // Which checks had passed before: for people who ask why, never for a decision.
    const before = checksOf(error)?.before.length ?? 0;
    throw new Error(`Refused after ${before} checks.`, { cause: error });
  }
}
