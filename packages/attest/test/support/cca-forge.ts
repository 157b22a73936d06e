import { toHex } from '@fastness/codec';
import { ccaEvidence, forgeCcaToken, forgedRealm, type ForgeCcaTokenOptions } from '@fastness/testkit';
import {
  parseAttestationPolicy,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import { armKey, armReference, deviceKeys, now, realmKeys } from './arm-forge.ts';

export const challenge = Uint8Array.from({ length: 64 }, (_, index) => 255 - index);
export const rimHex = toHex(forgedRealm.rim);

/** A token that is genuine in every respect but the ones named here. */
export interface CcaScenario {
  readonly token?: Partial<ForgeCcaTokenOptions>;
  /** Edits the collection after it was written. */
  readonly bytes?: (token: Uint8Array) => Uint8Array;
  /** Members of the section that replace those of a policy the token meets. */
  readonly section?: object;
  readonly without?: readonly ('keys' | 'references')[];
  readonly waive?: readonly WaivableCheck[];
  readonly endorsements?: () => Promise<readonly Cmw[]>;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** Everything that `verifyEvidence` takes, with real signatures. */
export async function prepareCca(scenario: CcaScenario = {}): Promise<VerifyEvidenceOptions> {
  const { token: change } = scenario;
  const token = await forgeCcaToken({ platformKeys: deviceKeys, realmKeys, challenge, ...change });
  const section: Record<string, unknown> = {
    keys: [armKey(change?.platformKeys ?? deviceKeys)],
    references: [armReference({ configuration: { value: 'c00f' } })],
    measurements: [rimHex],
    ...scenario.section,
  };
  for (const name of scenario.without ?? []) Reflect.deleteProperty(section, name);
  return {
    evidence: ccaEvidence(scenario.bytes?.(token) ?? token),
    endorsements: (await scenario.endorsements?.()) ?? [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-tokens',
      armCca: section,
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: {},
    expectedReportData: scenario.expectedReportData ?? challenge,
    now: scenario.at ?? now,
  };
}

export async function judgeCca(scenario: CcaScenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence(await prepareCca(scenario));
}
