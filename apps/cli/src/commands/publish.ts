import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { toHex } from '@fastness/codec';
import { readReleasePackage } from '@fastness/model';
import { releaseDigestOf } from '@fastness/model/release';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';
import { shortHex } from '../support/format.ts';
import { modelDirectory } from '../support/home.ts';
import type { Context } from '../support/run.ts';

export interface PublishOptions {
  readonly model?: string;
  readonly url?: string;
}

export function publishCommand(): Command {
  return new Command('publish')
    .description('hand the signed and approved release, with its wrapped key, to the broker')
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .option('--url <url>', "the broker (default: the home's)")
    .action(action<PublishOptions>(async (context, options) => publishHome(context, options)));
}

export async function publishHome(context: Context, options: PublishOptions): Promise<void> {
  const { home, output, signal } = context;
  const dir = await modelDirectory(home, options.model);
  const releasePackage = await readReleasePackage(dir);
  const keys: unknown = JSON.parse(await readFile(join(dir, 'keys.json'), 'utf8'));
  await callBrokerAdmin(home, {
    method: 'PUT',
    path: '/v1/admin/releases',
    body: { package: releasePackage, keys },
    signal,
    ...(options.url === undefined ? {} : { url: options.url }),
  });
  const releaseDigest = toHex(await releaseDigestOf(releasePackage.bundle));
  output.step(
    'release-published',
    `Broker accepted release ${shortHex(releaseDigest)}: owner's signature, approvals and expiry verified`,
    {
      releaseDigest,
    },
  );
}
