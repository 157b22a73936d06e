import { factsOf } from '@fastness/codec/errors';
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { codesOf, type Judgement, type ReportedCheck } from './judge.ts';

/** A waived check did fail; SARIF gives a level to nothing else. */
const kinds = { passed: 'pass', waived: 'fail', 'not-applicable': 'notApplicable', failed: 'fail' } as const;
const levels = { passed: 'none', waived: 'warning', 'not-applicable': 'none', failed: 'error' } as const;

/** The judgement as a SARIF 2.1.0 log (OASIS): one rule for each code, one result for each check, the failed one an error. */
export function sarifOf(judgement: Judgement, version: string): string {
  const { checks, target, at, policyId, error } = judgement;
  const codes = codesOf(checks);
  const uri = uriOf(target);
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'fastness attest verify',
            version,
            rules: codes.map((code) => ({
              id: code,
              shortDescription: { text: factsOf(code).message },
              help: { text: factsOf(code).next },
              properties: { class: factsOf(code).class },
            })),
          },
        },
        // The tool did its work; what it found is in the results.
        invocations: [{ executionSuccessful: true, exitCode: error?.exitCode ?? 0 }],
        results: checks.map((check) => ({
          ruleId: check.code,
          ruleIndex: codes.indexOf(check.code),
          kind: kinds[check.outcome],
          level: levels[check.outcome],
          message: { text: messageOf(check) },
          locations: [{ physicalLocation: { artifactLocation: { uri } } }],
        })),
        properties: { policyId, at: at.toISOString(), outcome: error === undefined ? 'accepted' : 'refused' },
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

/** Relative paths stay relative: whoever shows the report knows the checkout. */
function uriOf(target: string): string {
  if (/^https?:\/\//.test(target)) return target;
  return isAbsolute(target) ? pathToFileURL(target).href : encodeURI(target.replaceAll('\\', '/'));
}

/** One check in a sentence. */
export function messageOf({ outcome, code, expected, actual, part, reason }: ReportedCheck): string {
  const where = part === undefined ? '' : `${part}: `;
  if (outcome === 'not-applicable') return `${where}Not applicable: ${expected}.`;
  if (outcome === 'passed') return `${where}Expected ${expected}; found ${actual}.`;
  if (outcome === 'waived') return `${where}Waived (${reason ?? 'no reason'}): expected ${expected}; found ${actual}.`;
  const compared = expected === '' ? actual : `Expected ${expected}; found ${actual}.`;
  return `${where}${factsOf(code).message} ${compared} Next: ${factsOf(code).next}`;
}
