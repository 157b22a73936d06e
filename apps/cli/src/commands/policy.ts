import { Command } from 'commander';
import { parseBrokerPolicy } from '@fastness/broker';
import { parseClientPolicy } from '@fastness/client';
import type { AttestationPolicy } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { absentSections, explainPolicy } from '../support/attest/explain-policy.ts';
import { loadPolicy, type LoadedPolicy } from '../support/attest/policy-file.ts';
import { warningsOf } from '../support/attest/policy-warnings.ts';
import { printExplanation } from '../support/attest/print.ts';
import { runJudgement, type JudgementOptions } from '../support/attest/run-judgement.ts';
import { isObject } from '../support/attest/is-object.ts';
import { action } from '../support/command.ts';
import { readHomeConfig, readJson, writeJson } from '../support/home.ts';
import type { Output } from '../support/output.ts';
import type { Context } from '../support/run.ts';
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
  policy
    .command('use')
    .description("take an attestation policy into the home's two policies: what its broker and its clients accept")
    .argument('<file>', 'an attestation policy (JSON or YAML), such as one of those under deploy/')
    .action(action(async (context, _options, [path = '']) => usePolicy(context, path)));
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

/** Both files or, where either would not hold with it, neither: they are read as broker and client read them first. */
async function usePolicy({ home, output }: Context, path: string): Promise<void> {
  await readHomeConfig(home);
  const { policy, imports } = await loadPolicy(path, new Date());
  const broker = await withAttestation(home.brokerPolicyFile, policy);
  const client = await withAttestation(home.clientPolicyFile, policy);
  parseBrokerPolicy(broker);
  parseClientPolicy(client);
  await writeJson(home.brokerPolicyFile, broker);
  await writeJson(home.clientPolicyFile, client, 0o644);
  output.step(
    'policy-taken',
    `${home.brokerPolicyFile} and ${home.clientPolicyFile} take ${policy.id}; a running broker reads it when it starts anew`,
    { id: policy.id, broker: home.brokerPolicyFile, client: home.clientPolicyFile, imports: imports.length },
  );
  for (const { path: place, text } of warningsOf(policy)) output.warn(`${place}: ${text}`);
}

async function withAttestation(file: string, attestation: AttestationPolicy): Promise<Record<string, unknown>> {
  const policy = await readJson(file);
  if (!isObject(policy)) throw new FastnessError('CLI_HOME_DAMAGED', `${file} is no policy.`);
  return { ...policy, attestation };
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
