import { isCompositeVerdict, type AttestationVerdict } from '@fastness/attest';
import { hardwareFactsOf, hardwareOf } from '@fastness/client';
import { factsOf as errorFactsOf } from '@fastness/codec/errors';
import { warnOfAnchors } from './anchors-file.ts';
import type { Output } from '../output.ts';
import { simulatedBanner } from '../simulated.ts';
import { shortHex } from '../format.ts';
import { countsOf, type Judgement, type ReportedCheck } from './judge.ts';

const bindings: Readonly<Record<Judgement['binding'], string>> = Object.freeze({
  'report-data': 'bound to the report data that was given',
  nonce: 'bound to the nonce that was given',
  session: 'bound to the session that was given',
  'fresh nonce': 'bound to a fresh nonce, the keys of the enclave and its release',
  none: 'NOT bound to anything: nobody knows whether it is fresh, or whose keys it means',
});

/** What was accepted, on what terms. With `--json` one object that says everything. */
export function printJudgement(output: Output, judgement: Judgement): void {
  const { verdict } = judgement;
  output.result(jsonOf(judgement), verdict === undefined ? [] : acceptedLines(judgement, verdict));
  printWarnings(output, judgement);
}

/** Check by check. */
export function printExplanation(output: Output, judgement: Judgement): void {
  output.result(jsonOf(judgement), explainLines(judgement));
  printWarnings(output, judgement);
}

function printWarnings(output: Output, { verdict, waivers, anchorsFile, notRefreshed = [] }: Judgement): void {
  warnOfAnchors(output, anchorsFile);
  for (const name of notRefreshed) output.warn(`Could not be refreshed, so a copy within its period was used: ${name}`);
  for (const { check, reason, part } of waivers)
    output.warn(`Waived: ${part === undefined ? '' : `${part} `}${check} (${reason})`);
  if (verdict?.claims.simulated === true) output.warn(simulatedBanner);
}

function acceptedLines({ checks, at, policyId, binding }: Judgement, verdict: AttestationVerdict): string[] {
  const { passed, waived, 'not-applicable': notApplicable } = countsOf(checks);
  return [
    `✓ Evidence accepted: ${hardwareOf(verdict.claims)}, under policy ${policyId}, as of ${at.toISOString()}`,
    ...detailLines(verdict),
    `    ${bindings[binding]}`,
    `    ${passed} checks passed, ${waived} waived, ${notApplicable} not applicable`,
  ];
}

function detailLines(verdict: AttestationVerdict): string[] {
  const parts = isCompositeVerdict(verdict) ? Object.entries(verdict.parts) : [['', verdict] as const];
  return parts.flatMap(([label, { claims }]) => {
    const lines = [
      `measurement ${shortHex(claims.measurement)}`,
      ...hardwareFactsOf(claims),
      `debug ${claims.debug ? 'ON' : 'off'}`,
    ];
    return lines.map((line) => `    ${label === '' ? '' : `${label}: `}${line}`);
  });
}

/** The judgement for machines. */
function jsonOf({ verdict, error, at, ...rest }: Judgement): Record<string, unknown> {
  const parts = verdict !== undefined && isCompositeVerdict(verdict) ? verdict.parts : undefined;
  return {
    outcome: verdict === undefined ? 'refused' : 'accepted',
    ...rest,
    at: at.toISOString(),
    ...(verdict === undefined ? {} : { simulated: verdict.claims.simulated, claims: verdict.claims }),
    ...(parts === undefined
      ? {}
      : { parts: Object.fromEntries(Object.entries(parts).map(([label, { claims }]) => [label, claims])) }),
    ...(error === undefined ? {} : { error: error.toProblem() }),
  };
}

const outcomes: Readonly<Record<ReportedCheck['outcome'], string>> = Object.freeze({
  passed: 'passed',
  waived: 'WAIVED',
  'not-applicable': 'n/a',
  failed: 'FAILED',
});

/** Check by check, with what was compared; after a failure, what to do, and that nothing was checked after it. */
function explainLines({ checks, error, policyId }: Judgement): string[] {
  const width = Math.max(...checks.map(({ code }) => code.length));
  const lines = checks.flatMap((check) => {
    const { code, outcome, part } = check;
    const name = `${outcomes[outcome].padEnd(7)} ${part === undefined ? '' : `${part} `}${code.padEnd(width)}`;
    return [`${name}  ${comparedIn(check)}`, ...(outcome === 'failed' ? failureLines(check) : [])];
  });
  const end =
    error === undefined
      ? `Policy ${policyId} accepts this evidence.`
      : `Policy ${policyId} refuses this evidence. Checks after the failed one were not run: what they would say is unknown.`;
  return [...lines, '', end];
}

function comparedIn({ outcome, expected, actual, reason }: ReportedCheck): string {
  if (outcome === 'not-applicable') return expected;
  const compared = expected === '' ? actual : `expected ${cut(expected)}; found ${cut(actual)}`;
  return outcome === 'waived' ? `${compared}; waived: ${reason ?? 'no reason'}` : compared;
}

function failureLines({ code }: ReportedCheck): string[] {
  const { message, next } = errorFactsOf(code);
  return [`        ${message}`, `        What to do: ${next}`];
}

/** A measurement of 96 characters is shown whole; a thousand-entry list is not. */
function cut(text: string): string {
  return text.length <= 260 ? text : `${text.slice(0, 259)}…`;
}
