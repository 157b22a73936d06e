import { Command } from 'commander';
import { keysFor, registeredReleaseSchema } from '@fastness/broker';
import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readReleasePackage, readSealedModel } from '@fastness/model';
import { releaseDigestOf } from '@fastness/model/release';
import { callBrokerAdmin } from '../support/broker-admin.ts';
import { action } from '../support/command.ts';
import { shortHex } from '../support/format.ts';
import { modelDirectory } from '../support/home.ts';
import type { Context } from '../support/run.ts';
import { keyIds, openStore } from '../support/stores.ts';

export interface PublishOptions {
  readonly model?: string;
  readonly url?: string;
  readonly sealed?: string;
}

export function publishCommand(): Command {
  return new Command('publish')
    .description('hand the signed and approved release, with its wrapped key, to the broker')
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .option('--sealed <folder>', 'a sealed model outside of this home, of whose key its broker has a share')
    .option('--url <url>', "the broker (default: the home's)")
    .action(action<PublishOptions>(async (context, options) => publishHome(context, options)));
}

export async function publishHome(context: Context, options: PublishOptions): Promise<void> {
  const { home, output, signal } = context;
  const dir = options.sealed ?? (await modelDirectory(home, options.model));
  const releasePackage = await readReleasePackage(dir);
  const keys = await keysOf(context, dir);
  const releaseDigest = toHex(await releaseDigestOf(releasePackage.bundle));
  const registered = await callBrokerAdmin(home, {
    method: 'PUT',
    path: '/v1/admin/releases',
    body: { package: releasePackage, keys },
    answer: registeredReleaseSchema,
    signal,
    ...(options.url === undefined ? {} : { url: options.url }),
  });
  if (registered.releaseDigest !== releaseDigest)
    throw new FastnessError('CLI_ADMIN_ANSWER', 'It names another release.');
  output.step(
    'release-published',
    `Broker accepted release ${shortHex(releaseDigest)}: owner's signature, approvals and expiry verified`,
    {
      releaseDigest,
    },
  );
}

/** What of keys.json goes to this home's broker: the wrapped key, or its share and no other. */
async function keysOf({ home }: Context, dir: string): Promise<ReturnType<typeof keysFor>> {
  const { keys } = await readSealedModel(dir);
  if (keys.kind === 'root') return keysFor(keys, new Uint8Array());
  await using broker = await openStore(home, 'broker');
  return keysFor(keys, await broker.publicKey(keyIds.broker));
}
