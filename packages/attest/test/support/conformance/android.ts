import { encodeAndroidKeyEvidence, parse } from '../../../src/formats/android-key/index.ts';
import {
  parseAttestationPolicy,
  vendorAnchors,
  type Cmw,
  type TrustAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../../src/index.ts';
import { androidCases, readChain, type AndroidCase } from '../android-cases.ts';
import type { ConformanceCase } from './case.ts';

/** What a test changes about the judgement of a chain. */
export interface AndroidChange {
  readonly at?: string;
  readonly waive?: readonly WaivableCheck[];
  readonly anchors?: TrustAnchors;
  readonly section?: object;
  readonly challenge?: Uint8Array;
}

/** Everything that verifies a recorded chain, without a status list, unless `change` brings one. */
export function androidOptions(subject: AndroidCase, change: AndroidChange = {}): VerifyEvidenceOptions {
  const evidence = encodeAndroidKeyEvidence(readChain(subject));
  const waive = change.waive ?? ['ANDROID_STATUS_MISSING', ...subject.waive];
  const expectedReportData = change.challenge ?? challengeIn(evidence);
  return {
    evidence,
    endorsements: [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'recorded-attestations',
      androidKey: { securityLevels: ['trusted-environment', 'strongbox'], ...change.section },
      waivers: waive.map((check) => ({ check, reason: 'recorded attestation' })),
    }),
    anchors: change.anchors ?? vendorAnchors,
    expectedReportData,
    now: new Date(change.at ?? subject.at),
  };
}

/** What a chain attests; for one that cannot be read, anything. */
function challengeIn(evidence: Cmw): Uint8Array {
  try {
    return parse(evidence).description.challenge;
  } catch {
    return new Uint8Array(32);
  }
}

export const androidConformance: readonly ConformanceCase[] = androidCases.map((found): ConformanceCase => {
  const { row, name, verdict } = found;
  return { tee: 'android', row, name, verdict, options: () => androidOptions(found) };
});
