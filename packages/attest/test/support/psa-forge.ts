import { forgePsaToken, psaEvidence, type ForgePsaTokenOptions } from '@fastness/testkit';
import {
  parseAttestationPolicy,
  verifyEvidence,
  type AttestationVerdict,
  type Cmw,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import { armKey, armReference, deviceKeys, now } from './arm-forge.ts';

export const nonce = Uint8Array.from({ length: 64 }, (_, index) => index + 1);

/** A token that is genuine in every respect but the ones named here. */
export interface PsaScenario {
  readonly token?: Partial<ForgePsaTokenOptions>;
  /** Edits the token after it was signed. */
  readonly bytes?: (token: Uint8Array) => Uint8Array;
  /** Members of the section that replace those of a policy the token meets. */
  readonly section?: object;
  readonly without?: readonly ('keys' | 'references')[];
  readonly waive?: readonly WaivableCheck[];
  readonly endorsements?: () => Promise<readonly Cmw[]>;
  readonly expectedReportData?: Uint8Array;
  readonly at?: Date;
}

/** Everything that `verifyEvidence` takes, with a real signature. */
export async function preparePsa(scenario: PsaScenario = {}): Promise<VerifyEvidenceOptions> {
  const token = await forgePsaToken({ keys: deviceKeys, nonce, ...scenario.token });
  const section: Record<string, unknown> = {
    keys: [armKey(scenario.token?.keys ?? deviceKeys)],
    references: [armReference()],
    clientIds: [-7],
    ...scenario.section,
  };
  for (const name of scenario.without ?? []) Reflect.deleteProperty(section, name);
  return {
    evidence: psaEvidence(scenario.bytes?.(token) ?? token),
    endorsements: (await scenario.endorsements?.()) ?? [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'forged-tokens',
      armPsa: section,
      waivers: (scenario.waive ?? []).map((check) => ({ check, reason: `because of ${check}` })),
    }),
    anchors: {},
    expectedReportData: scenario.expectedReportData ?? nonce,
    now: scenario.at ?? now,
  };
}

export async function judgePsa(scenario: PsaScenario = {}): Promise<AttestationVerdict> {
  return verifyEvidence(await preparePsa(scenario));
}
