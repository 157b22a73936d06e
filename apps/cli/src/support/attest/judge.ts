import {
  checksOf,
  formatOf,
  isCmwCollection,
  verifyEvidence,
  verifyRecordedEvidence,
  type AppliedWaiver,
  type AttestationPolicy,
  type AttestationVerdict,
  type CheckRecord,
  type TrustAnchors,
} from '@fastness/attest';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import type { Binding } from './arguments.ts';
import type { LoadedEvidence } from './evidence-file.ts';

/** One check as reports show it: those that ran, and the one that failed. */
export interface ReportedCheck extends Omit<CheckRecord, 'outcome'> {
  readonly outcome: CheckRecord['outcome'] | 'failed';
  /** Why a waived check was waived. */
  readonly reason?: string;
}

/** What became of one verification. Exactly one of `verdict` and `error`. */
export interface Judgement {
  /** File or address. */
  readonly target: string;
  readonly at: Date;
  readonly policyId: string;
  /** What the evidence was bound to. */
  readonly binding: Binding['kind'] | 'fresh nonce';
  /** Roots that replaced the vendors'. */
  readonly anchorsFile?: string;
  /** Endorsements that could not be refreshed, with the code that says why; copies within their period were used. */
  readonly notRefreshed?: readonly string[];
  readonly checks: readonly ReportedCheck[];
  readonly waivers: readonly AppliedWaiver[];
  readonly verdict?: AttestationVerdict;
  readonly error?: FastnessError;
}

export interface JudgeOptions {
  readonly target: string;
  readonly evidence: LoadedEvidence;
  readonly policy: AttestationPolicy;
  readonly anchors: TrustAnchors;
  readonly anchorsFile?: string;
  readonly binding: Binding;
  readonly at: Date;
}

/** Processors whose report data is a field of 64 bytes: a shorter nonce stands at its beginning, followed by zeros. */
const paddedTees: ReadonlySet<string> = new Set(['sev-snp', 'tdx', 'sgx', 'arm-cca']);
const reportDataBytes = 64;

/** Verifies, and says what was checked whatever the outcome. Only faults of the program itself are thrown. */
export async function judge(options: JudgeOptions): Promise<Judgement> {
  const { target, at, policy, binding, anchorsFile } = options;
  const common = {
    target,
    at,
    policyId: policy.id,
    binding: binding.kind,
    ...(anchorsFile === undefined ? {} : { anchorsFile }),
  };
  try {
    return { ...common, ...accepted(await verify(options)) };
  } catch (error) {
    if (!(error instanceof FastnessError)) throw error;
    return { ...common, ...refused(error) };
  }
}

async function verify({ evidence: loaded, policy, anchors, binding, at }: JudgeOptions): Promise<AttestationVerdict> {
  const { evidence, endorsements } = loaded;
  const common = { endorsements, policy, anchors, now: at };
  if (binding.kind === 'session') return verifyEvidence({ ...common, evidence, session: binding.session });
  if (isCmwCollection(evidence)) {
    throw new FastnessError(
      'CLI_USAGE',
      'A collection belongs to a session: give --session FILE with its four fields.',
    );
  }
  if (binding.kind === 'none') return verifyRecordedEvidence({ ...common, evidence, reason: binding.reason });
  const { tee } = formatOf(evidence);
  const expectedReportData = binding.kind === 'nonce' && paddedTees.has(tee) ? padded(binding.value) : binding.value;
  return verifyEvidence({ ...common, evidence, expectedReportData });
}

function padded(nonce: Uint8Array): Uint8Array {
  if (nonce.length > reportDataBytes) throw new FastnessError('CLI_USAGE', '--nonce is longer than the report data.');
  const field = new Uint8Array(reportDataBytes);
  field.set(nonce);
  return field;
}

/** The part of a judgement that a verdict determines. */
export function accepted(verdict: AttestationVerdict): Pick<Judgement, 'verdict' | 'checks' | 'waivers'> {
  const { checks, waivers } = verdict;
  return {
    verdict,
    waivers,
    checks: checks.map((check) => withReason(check, waivers)),
  };
}

/** The part of a judgement that an error determines. */
export function refused(error: FastnessError): Pick<Judgement, 'error' | 'checks' | 'waivers'> {
  const { before = [], failed } = checksOf(error) ?? {};
  const last: ReportedCheck = {
    expected: '',
    actual: error.detail ?? '',
    ...failed,
    code: error.code,
    outcome: 'failed',
  };
  return { error, checks: [...before, last], waivers: [] };
}

function withReason(check: CheckRecord, waivers: readonly AppliedWaiver[]): ReportedCheck {
  if (check.outcome !== 'waived') return check;
  const waiver = waivers.find((each) => each.check === check.code && each.part === check.part);
  return waiver === undefined ? check : { ...check, reason: waiver.reason };
}

/** How many checks had each outcome. */
export function countsOf(checks: readonly ReportedCheck[]): Readonly<Record<ReportedCheck['outcome'], number>> {
  const counts = { passed: 0, waived: 0, 'not-applicable': 0, failed: 0 };
  for (const { outcome } of checks) counts[outcome] += 1;
  return counts;
}

/** Every code that a report mentions, once. */
export function codesOf(checks: readonly ReportedCheck[]): readonly ErrorCode[] {
  return [...new Set(checks.map(({ code }) => code))];
}
