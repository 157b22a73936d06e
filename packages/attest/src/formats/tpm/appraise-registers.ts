import type { HashName } from '@fastness/codec/x509';
import { anyOf, failed, withChecks, type Checklist } from '../../checks.ts';
import { firstDifference } from '../../event-log/index.ts';
import type { QuotePolicy } from '../../policy/tpm.ts';
import type { ReplayedLog } from './appraise-log.ts';

/**
 * Compares every register that is pinned. All that differ are named in one error, each with the first event that differs
 * where the policy lists the events of that register and a log explains it.
 */
export function appraiseRegisters(
  values: ReadonlyMap<number, string>,
  bank: HashName,
  measurementPcr: number,
  policy: QuotePolicy & { readonly measurements: readonly string[] },
  log: ReplayedLog | undefined,
  checks: Checklist,
): void {
  const pins = [
    ['TPM_MEASUREMENT_NOT_ALLOWED', measurementPcr, policy.measurements] as const,
    ...Object.entries(policy.pcrs ?? {}).map(([index, list]) => ['TPM_PCR_NOT_ALLOWED', Number(index), list] as const),
  ];
  const differing: { readonly code: (typeof pins)[number][0]; readonly expected: string; readonly actual: string }[] =
    [];
  for (const [code, index, list] of pins) {
    const value = values.get(index) ?? 'none';
    const expected = `PCR${index} ${anyOf(list)}`;
    if (list.includes(value)) checks.require(code, true, { expected, actual: value });
    else differing.push({ code, expected, actual: `PCR${index} ${value}${explanation(index, bank, policy, log)}` });
  }
  const [first] = differing;
  if (first === undefined) return;
  const { code } = first;
  const compared = {
    expected: differing.map(({ expected }) => expected).join('; '),
    actual: differing.map(({ actual }) => actual).join('; '),
  };
  throw withChecks(failed(code, compared), { before: checks.results().checks, failed: { code, ...compared } });
}

function explanation(index: number, bank: HashName, policy: QuotePolicy, log: ReplayedLog | undefined): string {
  const expected = policy.events?.[`${index}`];
  if (expected === undefined || log?.registers.includes(index) !== true) return '';
  const difference = firstDifference(log.log, index, bank, expected);
  return difference === undefined
    ? ' (its events are those listed: the policy contradicts itself)'
    : ` (${difference})`;
}

/** The log was replayed to the registers, so its digests are as good as they are. */
export function appraiseEvents(
  log: ReplayedLog | undefined,
  bank: HashName,
  policy: QuotePolicy,
  checks: Checklist,
): void {
  const { events = {}, requiredEvents = {} } = policy;
  if (log === undefined || Object.keys(events).length === 0) {
    checks.notApplicable('EVENT_LOG_EVENTS_NOT_ALLOWED', 'the policy lists no events');
  }
  if (log === undefined || Object.keys(requiredEvents).length === 0) {
    checks.notApplicable('EVENT_LOG_EVENT_MISSING', 'the policy requires no events');
  }
  if (log === undefined) return;
  for (const [index, expected] of Object.entries(events)) {
    const difference = firstDifference(log.log, Number(index), bank, expected);
    checks.require('EVENT_LOG_EVENTS_NOT_ALLOWED', difference === undefined, {
      expected: `${expected.length} events of PCR${index} as listed`,
      actual: difference ?? 'all of them',
    });
  }
  for (const [index, required] of Object.entries(requiredEvents)) {
    const found = new Set(log.digests.get(Number(index)));
    const missing = required.filter((digest) => !found.has(digest));
    checks.require('EVENT_LOG_EVENT_MISSING', missing.length === 0, {
      expected: `PCR${index} extended with ${anyOf(required)}`,
      actual: missing.length === 0 ? 'all of them' : `no ${missing.join(', no ')}`,
    });
  }
}
