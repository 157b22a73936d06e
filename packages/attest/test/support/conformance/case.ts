import type { ErrorCode } from '@fastness/codec/errors';
import type { VerifyEvidenceOptions } from '../../../src/index.ts';

/** One judgement of recorded evidence: everything the verifier takes, and the verdict that the index of the vectors states. */
export interface ConformanceCase {
  /** Column `tee` of the index. */
  readonly tee: string;
  /** First file of its row in the index. */
  readonly row: string;
  readonly name: string;
  /** `accept`, or the one code of the refusal. */
  readonly verdict: 'accept' | ErrorCode;
  readonly options: () => VerifyEvidenceOptions | Promise<VerifyEvidenceOptions>;
}

/** A row of the index that holds nothing to judge, and why. */
export interface NotJudged {
  readonly row: string;
  readonly why: string;
}
