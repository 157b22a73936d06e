import { fromHex, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  cmwFromJson,
  cmwToJson,
  parseAttestationPolicy,
  verifyEvidence,
  type CmwJson,
  type TrustAnchors,
  type VerifyEvidenceOptions,
} from '../../../src/index.ts';

/** What a verification takes, as JSON, so that another runtime can judge it. */
export interface WireOptions {
  readonly evidence: CmwJson;
  readonly endorsements: readonly CmwJson[];
  readonly policy: unknown;
  readonly anchors: TrustAnchors;
  readonly expectedReportData: string;
  readonly now: string;
}

export function toWire(options: VerifyEvidenceOptions): WireOptions {
  return {
    evidence: cmwToJson(options.evidence),
    endorsements: options.endorsements.map((endorsement) => cmwToJson(endorsement)),
    policy: options.policy,
    anchors: options.anchors,
    expectedReportData: toHex(options.expectedReportData),
    now: options.now.toISOString(),
  };
}

export function fromWire(wire: WireOptions): VerifyEvidenceOptions {
  return {
    evidence: cmwFromJson(wire.evidence),
    endorsements: wire.endorsements.map((endorsement) => cmwFromJson(endorsement)),
    policy: parseAttestationPolicy(wire.policy),
    anchors: wire.anchors,
    expectedReportData: fromHex(wire.expectedReportData),
    now: new Date(wire.now),
  };
}

/** The verdict in one word: `accept`, or the code of the refusal. What is no error of the registry is passed on. */
export async function verdictOf(wire: WireOptions): Promise<string> {
  try {
    await verifyEvidence(fromWire(wire));
    return 'accept';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
}
