import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, Checklist } from '../../checks.ts';
import { filledIn, parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import type { NitroPolicy } from '../../policy/nitro.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { claimsOf, instanceOf } from './claims.ts';
import { MAX_NONCE_BYTES, MAX_USER_DATA_BYTES } from './layout.ts';
import { AuthenticDocument } from './stages.ts';

/** Clocks of AWS and of the verifier may differ by this much. */
const MAX_SKEW_MS = 60_000;
const DEFAULT_MAX_AGE_SECONDS = 300;
/** Fewer bytes could be guessed or met by chance. */
const MIN_BOUND_BYTES = 32;

/**
 * Applies a policy to an authentic document.
 *
 * `expectedReportData` (32 to 512 bytes) is what the enclave must have bound: with Fastness's own enclaves the 64 bytes of
 * `reportDataOf`, which the enclave passes to the NSM as `user_data`. Enclaves of others put the verifier's challenge into
 * `nonce`; a policy with `binding: 'nonce'` compares it there instead. `expectedNonce`, when given, is compared with `nonce`
 * in addition. The comparison comes first of all, because a document for another session answers no question of this one.
 * `public_key` is not compared: the claims show it, and whoever uses that key must look there.
 *
 * Throws the NITRO_ code of the first requirement that is not met, ATTEST_STAGE_SKIPPED, ATTEST_POLICY_INVALID,
 * ATTEST_POLICY_INCOMPLETE, ATTEST_TEE_NOT_ALLOWED, ATTEST_ARGUMENT_INVALID.
 */
export function appraise(
  authentic: AuthenticDocument,
  options: {
    readonly policy: AttestationPolicy;
    readonly expectedReportData: Uint8Array;
    readonly expectedNonce?: Uint8Array;
  },
): AttestationVerdict {
  AuthenticDocument.require(authentic);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, authentic.kind.section);
  const measurements = filledIn(policy, section.measurements);
  const checks: Checklist = new Checklist(policy.waivers, authentic);

  const reportData = appraiseBinding(authentic, section, options, checks);
  appraiseFreshness(authentic, section, checks);
  const debug = appraiseRegisters(authentic, { ...section.pcrs }, measurements, checks);
  appraiseInstance(authentic, section, checks);

  const claims = claimsOf(authentic, { reportData, debug });
  return verdictOf(claims, checks, policy);
}

function appraiseBinding(
  { document }: AuthenticDocument,
  { binding = 'user-data' }: NitroPolicy,
  options: { readonly expectedReportData: Uint8Array; readonly expectedNonce?: Uint8Array },
  checks: Checklist,
): string {
  const expected = argument('expectedReportData', options.expectedReportData, MAX_USER_DATA_BYTES);
  const bound = binding === 'nonce' ? document.nonce : document.userData;
  const reportData = bound === undefined ? `no ${binding}` : toHex(bound);
  checks.require('NITRO_REPORT_DATA_MISMATCH', reportData === expected, { expected, actual: reportData });
  if (options.expectedNonce === undefined) {
    checks.notApplicable('NITRO_NONCE_MISMATCH', 'no nonce beside the report data is expected');
  } else {
    const nonce = argument('expectedNonce', options.expectedNonce, MAX_NONCE_BYTES);
    const actual = document.nonce === undefined ? 'no nonce' : toHex(document.nonce);
    checks.require('NITRO_NONCE_MISMATCH', actual === nonce, { expected: nonce, actual });
  }
  return reportData;
}

function appraiseFreshness({ document, at }: AuthenticDocument, policy: NitroPolicy, checks: Checklist): void {
  const { timestamp } = document;
  const actual = new Date(timestamp).toISOString();
  const maxAge = (policy.maxAgeSeconds ?? DEFAULT_MAX_AGE_SECONDS) * 1000;
  checks.require('NITRO_TIMESTAMP_FUTURE', timestamp <= at + MAX_SKEW_MS, {
    expected: `not after ${new Date(at + MAX_SKEW_MS).toISOString()}`,
    actual,
  });
  checks.require('NITRO_TIMESTAMP_STALE', timestamp >= at - maxAge, {
    expected: `not before ${new Date(at - maxAge).toISOString()}`,
    actual,
  });
}

/** Returns whether the enclave is in debug mode, which only a waiver lets pass. */
function appraiseRegisters(
  { document, kind }: AuthenticDocument,
  pins: Readonly<Record<string, readonly string[]>>,
  measurements: readonly string[],
  checks: Checklist,
): boolean {
  const pinned = [
    [kind.measurementPcr, measurements] as const,
    ...Object.entries(pins).map(([index, values]) => [Number(index), values] as const),
  ];
  const needed = [...new Set([0, ...pinned.map(([index]) => index)])];
  const missing = needed.filter((index) => !document.pcrs.has(index));
  checks.require('NITRO_PCR_MISSING', missing.length === 0, {
    expected: `PCR${needed.join(', PCR')}`,
    actual: missing.length === 0 ? 'all of them' : `no PCR${missing.join(', no PCR')}`,
  });
  const debug = document.pcrs.get(0)?.every((byte) => byte === 0) !== false;
  checks.requireUnlessWaived('NITRO_DEBUG', !debug, {
    expected: 'a PCR0 that is not zero',
    actual: debug ? 'zero' : 'not zero',
  });
  for (const [index, values] of pinned) {
    const value = toHex(document.pcrs.get(index) ?? new Uint8Array());
    const code =
      index === kind.measurementPcr && values === measurements
        ? 'NITRO_MEASUREMENT_NOT_ALLOWED'
        : 'NITRO_PCR_NOT_ALLOWED';
    checks.require(code, values.includes(value), { expected: `PCR${index} ${anyOf(values)}`, actual: value });
  }
  return debug;
}

function appraiseInstance({ document }: AuthenticDocument, { instances }: NitroPolicy, checks: Checklist): void {
  const instance = instanceOf(document.moduleId);
  const lists = [instances?.allow, instances?.deny];
  const listed = lists.some((list) => list !== undefined);
  if (!listed) checks.notApplicable('NITRO_INSTANCE_UNKNOWN', 'the policy lists none');
  else
    checks.require('NITRO_INSTANCE_UNKNOWN', instance !== undefined, {
      expected: 'a module id that names its instance',
      actual: document.moduleId,
    });
  const name = instance ?? '';
  const [allow, deny] = lists;
  if (allow === undefined) checks.notApplicable('NITRO_INSTANCE_NOT_ALLOWED', 'the policy lists none');
  else checks.require('NITRO_INSTANCE_NOT_ALLOWED', allow.includes(name), { expected: anyOf(allow), actual: name });
  if (deny === undefined) checks.notApplicable('NITRO_INSTANCE_DENIED', 'the policy lists none');
  else
    checks.require('NITRO_INSTANCE_DENIED', !deny.includes(name), {
      expected: `none of ${anyOf(deny)}`,
      actual: name,
    });
}

function argument(name: string, value: Uint8Array, most: number): string {
  if (!(value instanceof Uint8Array) || value.length < MIN_BOUND_BYTES || value.length > most) {
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `${name} must be ${MIN_BOUND_BYTES} to ${most} bytes.`);
  }
  return toHex(value);
}
