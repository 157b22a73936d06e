import { Command } from 'commander';
import { adminIdentitySchema } from '@fastness/broker';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';

export function whoamiCommand(): Command {
  return new Command('whoami')
    .description('say who the broker takes you for as an administrator, and which roles you have')
    .option('--url <url>', "the broker (default: the home's)")
    .action(
      action<{ readonly url?: string }>(async ({ home, output, signal }, { url }) => {
        const identity = await callBrokerAdmin(home, {
          method: 'GET',
          path: '/v1/admin/identity',
          answer: adminIdentitySchema,
          signal,
          ...(url === undefined ? {} : { url }),
        });
        const { name, via, roles } = identity;
        output.step('identity', `${name}, by ${via}: ${roles.join(', ')}`, { name, via, roles });
      }),
    );
}
