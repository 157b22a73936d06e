import { Checklist } from '../../checks.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { requireBinding, requireUse, tokenFacts } from '../token/appraise.ts';
import { ClaimReader } from '../token/claims.ts';
import { AuthenticToken } from '../token/stages.ts';
import { appraiseContainer } from './appraise-container.ts';
import { appraiseImage } from './appraise-image.ts';
import { appraisePlace } from './appraise-place.ts';
import { MAX_NONCE_BYTES } from './layout.ts';

/**
 * Applies a policy to an authentic token of Confidential Space. `expectedReportData` (16 to 66 bytes; 64 in base64url) must
 * be one of the nonces in `eat_nonce`, which the workload chose when it asked for the token.
 *
 * An accepted token means that Google says so, of a machine that Google runs; nothing in it is signed by the processor.
 * Throws the TOKEN_ or GCS_ code of the first requirement that is not met, ATTEST_....
 */
export function appraise(
  authentic: AuthenticToken,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): AttestationVerdict {
  AuthenticToken.require(authentic, 'gcp-confidential-space');
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'gcpConfidentialSpace');
  const { nonceEncoding } = section;
  const measurements = filledIn(policy, section.measurements);
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const claims = new ClaimReader(authentic.claims, 'GCS_CLAIM', checks);

  const bound = {
    claim: 'eat_nonce',
    value: authentic.claims['eat_nonce'],
    encoding: nonceEncoding ?? 'base64url',
  } as const;
  const reportData = requireBinding(bound, options.expectedReportData, MAX_NONCE_BYTES, checks);
  requireUse(authentic, section, checks);
  const image = appraiseImage(claims, section, checks);
  const submodules = claims.inside('submods');
  const container = appraiseContainer(submodules.inside('container'), section, measurements, checks);
  const place = appraisePlace(claims, submodules.inside('gce'), section, checks);

  return verdictOf(
    Object.freeze({
      tee: 'gcp-confidential-space',
      simulated: false,
      vendor: 'Google',
      ...container,
      ...image,
      ...place,
      reportData,
      ...tokenFacts(authentic),
    } as const),
    checks,
    policy,
  );
}
