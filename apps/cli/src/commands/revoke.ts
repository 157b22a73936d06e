import { Command, Argument } from 'commander';
import { recordedRevocationSchema, revocationPreviewSchema } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';
import { shortHex } from '../support/format.ts';
import type { Context } from '../support/run.ts';

interface RevokeOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly url?: string;
}

const kinds = ['release', 'measurement', 'platform', 'tcb', 'key'];

export function revokeCommand(): Command {
  return new Command('revoke')
    .description('revoke something for good: enclaves that depend on it stop within their lease')
    .addArgument(new Argument('<kind>', 'what is revoked').choices(kinds))
    .argument(
      '<value>',
      'release digest or measurement in hex; platform identity; lowest TCB still trusted (sev-snp:genoa:microcode=84, tdx:date=2025-05-14); key (wrap:ID, wrap:ID:VERSION, owner:SHA256, approver:ID)',
    )
    .option('--reason <text>', 'why; it goes into the audit log')
    .option('--dry-run', 'say which running enclaves it would hit, and change nothing')
    .option('--url <url>', "the broker (default: the home's)")
    .action(
      action<RevokeOptions>(async (context, options, [kind = '', value = '']) => {
        if (options.dryRun === true) await preview(context, options, kind, value);
        else await revoke(context, options, kind, value);
      }),
    );
}

async function revoke(context: Context, options: RevokeOptions, kind: string, value: string): Promise<void> {
  const { home, output, signal } = context;
  const { reason } = options;
  if (reason === undefined) throw new FastnessError('CLI_USAGE', 'Say why: --reason TEXT.');
  const recorded = await callBrokerAdmin(home, {
    method: 'POST',
    path: '/v1/admin/revocations',
    body: { kind, value, reason },
    answer: recordedRevocationSchema,
    signal,
    ...(options.url === undefined ? {} : { url: options.url }),
  });
  checkAnswer(recorded, kind, value);
  const { runningLeases, effectiveBy } = recorded;
  output.step('revoked', `Revoked ${kind} ${value}. Leases are not renewed any more.`, {
    kind,
    value,
    reason,
    runningLeases,
    ...(effectiveBy === undefined ? {} : { effectiveBy }),
  });
  output.detail(
    effectiveBy === undefined
      ? 'No enclave holds a lease that depends on it.'
      : `${runningLeases} running; the last of their leases ends at ${effectiveBy}.`,
  );
}

async function preview(context: Context, options: RevokeOptions, kind: string, value: string): Promise<void> {
  const { home, output, signal } = context;
  const found = await callBrokerAdmin(home, {
    method: 'POST',
    path: '/v1/admin/revocations/preview',
    body: { kind, value },
    answer: revocationPreviewSchema,
    signal,
    ...(options.url === undefined ? {} : { url: options.url }),
  });
  checkAnswer(found, kind, value);
  output.result({ dryRun: true, ...found }, [
    `Dry run: revoking ${kind} ${found.value} would hit ${found.leases.length} running enclaves.`,
    ...found.leases.map(
      ({ leaseId, tee, simulated, platform, releaseDigest, expiresAt }) =>
        `  ${shortHex(leaseId)}  ${simulated ? 'SIMULATED ' : ''}${tee}  ${platform}  release ${shortHex(releaseDigest)}  until ${expiresAt}`,
    ),
  ]);
}

function checkAnswer(answer: { kind: string; value: string }, kind: string, value: string): void {
  if (answer.kind === kind && answer.value.toLowerCase().endsWith(value.toLowerCase())) return;
  throw new FastnessError('CLI_ADMIN_ANSWER', 'It names something else.');
}
