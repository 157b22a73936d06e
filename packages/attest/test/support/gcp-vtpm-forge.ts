import {
  forgeGcpAkChain,
  type ForgeAkChainOptions,
  type ForgedAkChain,
  type ForgedInstance,
  type ForgedKeys,
} from '@fastness/testkit';
import {
  verifyEvidence,
  type AttestationVerdict,
  type GcpVtpmClaims,
  type TrustAnchors,
  type VerifyEvidenceOptions,
} from '../../src/index.ts';
import {
  encodeGcpVtpmEvidence,
  encodeVtpmEndorsements,
  type GcpVtpmEvidence,
  type VtpmEndorsements,
} from '../../src/formats/gcp-vtpm/index.ts';
import { forgeQuoteContent, nonce, now, p256Keys, policyOf, quoteSection, type QuoteScenario } from './tpm-forge.ts';

/** Evidence of an instance that is genuine in every respect but the ones named here. */
export interface GcpVtpmScenario extends QuoteScenario {
  readonly chain?: Partial<ForgeAkChainOptions>;
  readonly instance?: Partial<ForgedInstance>;
  /** The key that signs. Default: the one of the certificate. */
  readonly signer?: ForgedKeys;
  /** Edits what is sent. */
  readonly sent?: (evidence: GcpVtpmEvidence, chain: ForgedAkChain) => GcpVtpmEvidence;
  /** Edits the endorsements that are sent. */
  readonly endorsed?: (
    endorsements: VtpmEndorsements,
    chain: ForgedAkChain,
  ) => VtpmEndorsements | Promise<VtpmEndorsements>;
  readonly anchors?: (chain: ForgedAkChain) => TrustAnchors;
}

/** Pins the root of a forged chain as if it were the vendor's; `known` pins its certificate as well. */
export function vtpmAnchor(chain: ForgedAkChain, known = false) {
  const certificateSha256 = known ? chain.rootCertificateSha256 : '00'.repeat(32);
  return { name: 'forged', spkiSha256: chain.rootSpkiSha256, certificateSha256, source: 'a test' };
}

export async function prepareGcpVtpm(
  scenario: GcpVtpmScenario = {},
): Promise<VerifyEvidenceOptions & { readonly chain: ForgedAkChain }> {
  const keys = scenario.chain?.attestationKeys ?? p256Keys;
  const chain = await forgeGcpAkChain({
    now,
    attestationKeys: keys,
    ...scenario.chain,
    ...(scenario.instance === undefined ? {} : { instance: scenario.instance }),
  });
  const content = await forgeQuoteContent(scenario, scenario.signer ?? keys);
  const { root, intermediate, leaf } = chain.certificates;
  const evidence = { ...content, certificates: [leaf] };
  const endorsements = { certificates: [intermediate, root], crls: [chain.crl] };
  return {
    chain,
    evidence: encodeGcpVtpmEvidence(scenario.sent?.(evidence, chain) ?? evidence),
    endorsements: [encodeVtpmEndorsements((await scenario.endorsed?.(endorsements, chain)) ?? endorsements)],
    policy: policyOf('gcpVtpm', { ...quoteSection, projects: ['forged-project'], ...scenario.section }, scenario),
    anchors: (scenario.anchors ?? ((own) => ({ gcpVtpm: [vtpmAnchor(own)] })))(chain),
    expectedReportData: scenario.expectedReportData ?? nonce,
    now: scenario.at ?? now,
  };
}

export async function judgeGcpVtpm(
  scenario: GcpVtpmScenario = {},
): Promise<AttestationVerdict & { claims: GcpVtpmClaims }> {
  const verdict = await verifyEvidence(await prepareGcpVtpm(scenario));
  const { claims } = verdict;
  if (claims.tee !== 'gcp-vtpm') throw new Error('claims of something else');
  return { ...verdict, claims };
}
