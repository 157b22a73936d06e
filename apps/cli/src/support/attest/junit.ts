import { messageOf } from './sarif.ts';
import type { Judgement, ReportedCheck } from './judge.ts';

/**
 * The judgement as a JUnit report, as CI systems read it: one test case for each check. What did not apply is skipped; what
 * was waived passes, with the reason in its output and among the properties, as JUnit knows no third outcome.
 */
export function junitOf({ checks, target, at, policyId, waivers }: Judgement): string {
  const failures = checks.filter(({ outcome }) => outcome === 'failed').length;
  const skipped = checks.filter(({ outcome }) => outcome === 'not-applicable').length;
  const properties = [
    ['policy', policyId],
    ['at', at.toISOString()],
    ...waivers.map(({ check, reason }) => [`waiver.${check}`, reason] as const),
  ].map(([name = '', value = '']) => `      <property name="${escape(name)}" value="${escape(value)}"/>`);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${checks.length}" failures="${failures}" skipped="${skipped}">`,
    `  <testsuite name="${escape(target)}" tests="${checks.length}" failures="${failures}" errors="0" skipped="${skipped}" timestamp="${at.toISOString()}">`,
    '    <properties>',
    ...properties,
    '    </properties>',
    ...checks.map((check) => `    ${testCase(check, target)}`),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(check: ReportedCheck, target: string): string {
  const { code, outcome, part } = check;
  const open = `<testcase classname="${escape(part ?? target)}" name="${escape(code)}" time="0"`;
  const text = escape(messageOf(check));
  if (outcome === 'passed') return `${open}/>`;
  if (outcome === 'not-applicable') return `${open}><skipped message="${text}"/></testcase>`;
  if (outcome === 'waived') return `${open}><system-out>${text}</system-out></testcase>`;
  return `${open}><failure type="${escape(code)}" message="${text}"/></testcase>`;
}

/** XML has no way to write most control characters; evidence is written by whoever sent it. */
function escape(text: string): string {
  return text
    .replaceAll(/[^\u0020-\ud7ff\ue000-\ufffd]/gu, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
