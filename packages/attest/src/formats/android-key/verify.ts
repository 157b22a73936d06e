import type { AttestationVerdict } from '../../verdict.ts';
import type { VerifyEvidenceOptions } from '../format.ts';
import { appraise } from './appraise.ts';
import { authenticate } from './authenticate.ts';
import { parse } from './parse.ts';

/** The three questions in their order: what does it say, is it genuine, is it acceptable. */
export async function verify(options: VerifyEvidenceOptions): Promise<AttestationVerdict> {
  const { evidence, endorsements, policy, expectedReportData } = options;
  const authentic = await authenticate(parse(evidence, endorsements, options), options);
  return appraise(authentic, { policy, expectedReportData });
}
