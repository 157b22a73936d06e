import { sectionOf } from '../../policy/policy.ts';
import type { AttestationVerdict } from '../../verdict.ts';
import type { VerifyEvidenceOptions } from '../format.ts';
import { appraise } from './appraise.ts';
import { authenticate } from './authenticate.ts';
import { parse } from './parse.ts';

/** The three questions in their order: what does it say, is it genuine, is it acceptable. */
export async function verify(options: VerifyEvidenceOptions): Promise<AttestationVerdict> {
  const { evidence, endorsements, policy, anchors, expectedReportData, now } = options;
  const parsed = parse(evidence, endorsements, options);
  const { ocspNonce } = sectionOf(policy, parsed.kind.section);
  const nonce = ocspNonce === 'report-data' ? { ocspNonce: expectedReportData } : {};
  const authentic = await authenticate(parsed, { ...options, policy, anchors, now, ...nonce });
  return appraise(authentic, { policy, expectedReportData });
}
