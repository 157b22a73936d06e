import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { absentSections, explainPolicy } from '../support/attest/explain-policy.ts';
import { loadPolicy, type LoadedPolicy } from '../support/attest/policy-file.ts';
import { warningsOf } from '../support/attest/policy-warnings.ts';
import { printExplanation } from '../support/attest/print.ts';
import { runJudgement, type JudgementOptions } from '../support/attest/run-judgement.ts';
import { action } from '../support/command.ts';
import type { Output } from '../support/output.ts';
import { withJudgementOptions } from './attest.ts';

export function policyCommand(): Command {
  const policy = new Command('policy').description(
    'read attestation policies: what they accept, and why evidence passes or not',
  );
  policy
    .command('check')
    .description(
      'check a policy file and say in plain words what it accepts, what absent fields mean, and where it is wide open',
    )
    .argument('<file>', 'an attestation policy, or the policy of a client or broker (JSON or YAML)')
    .action(
      action(async ({ output }, _options, [path = '']) => {
        printPolicy(output, await loadPolicy(path, new Date()));
      }),
    );
  withJudgementOptions(
    policy
      .command('explain')
      .description('verify evidence and print check by check what passed, was waived, did not apply or failed, and why')
      .argument('<file-or-url>', 'evidence as for `fastness attest verify`'),
  ).action(
    action<JudgementOptions>(async ({ output, signal }, options, [target = '']) => {
      if (target === '') throw new FastnessError('CLI_USAGE', 'No evidence.');
      const judgement = await runJudgement(target, options, signal);
      printExplanation(output, judgement);
      if (judgement.error !== undefined) throw judgement.error;
    }),
  );
  return policy;
}

function printPolicy(output: Output, { path, policy, kind, imports }: LoadedPolicy): void {
  const statements = explainPolicy(policy);
  const warnings = warningsOf(policy);
  const refused = absentSections(policy);
  const complete = !JSON.stringify(policy).includes('"from-release"');
  output.result(
    {
      file: path,
      kind,
      id: policy.id,
      complete,
      statements,
      refusedSections: refused,
      imports,
      waivers: policy.waivers,
      warnings,
    },
    [
      `✓ ${path}: a valid policy of ${kind === 'attestation' ? 'attestation' : 'a client or broker'}, ${policy.id}`,
      ...statements.map(
        (statement) => `    ${statement.path}${statement.present ? '' : ' (absent)'}: ${statement.means}`,
      ),
      ...imports.map(
        ({ path: file, section, members, endorser }) =>
          `    ${section}: ${members.join(', ')} from ${file}, ${endorser === 'caller' ? 'which nobody signed' : `signed by key ${endorser}`}`,
      ),
      `    waivers: ${policy.waivers.length === 0 ? 'none' : policy.waivers.map(({ check }) => check).join(', ')}`,
      ...(complete
        ? []
        : ['    Measurements come from a verified release; without one this policy cannot judge evidence.']),
    ],
  );
  for (const { path: place, text } of warnings) output.warn(`${place}: ${text}`);
}
