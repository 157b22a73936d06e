import { Command, Argument } from 'commander';
import { recordedRevocationSchema } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';

interface RevokeOptions {
  readonly reason: string;
  readonly url?: string;
}

export function revokeCommand(): Command {
  return new Command('revoke')
    .description('revoke a release, a measurement or a platform: enclaves that hold its key stop within their lease')
    .addArgument(new Argument('<kind>', 'what is revoked').choices(['release', 'measurement', 'platform']))
    .argument('<value>', 'release digest, measurement or platform identity, in hex')
    .requiredOption('--reason <text>', 'why; it goes into the audit log')
    .option('--url <url>', "the broker (default: the home's)")
    .action(
      action<RevokeOptions>(async ({ home, output, signal }, options, [kind = '', value = '']) => {
        const recorded = await callBrokerAdmin(home, {
          method: 'POST',
          path: '/v1/admin/revocations',
          body: { kind, value, reason: options.reason },
          answer: recordedRevocationSchema,
          signal,
          ...(options.url === undefined ? {} : { url: options.url }),
        });
        if (recorded.kind !== kind || !recorded.value.toLowerCase().endsWith(value.toLowerCase()))
          throw new FastnessError('CLI_ADMIN_ANSWER', 'It names something else.');
        output.step('revoked', `Revoked ${kind} ${value}. Leases are not renewed any more.`, {
          kind,
          value,
          reason: options.reason,
        });
      }),
    );
}
