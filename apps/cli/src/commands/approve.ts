import { Command } from 'commander';
import { toHex } from '@fastness/codec';
import { approveRelease, readReleasePackage } from '@fastness/model';
import { parseRelease, releaseDigestOf } from '@fastness/model/release';
import { action } from '../support/command.ts';
import { shortHex } from '../support/format.ts';
import { modelDirectory, readHomeConfig } from '../support/home.ts';
import type { Context } from '../support/run.ts';
import { keyIds, openApproverStore } from '../support/stores.ts';

export interface ApproveOptions {
  readonly as: string;
  readonly model?: string;
}

export function approveCommand(): Command {
  return new Command('approve')
    .description('approve the signed release of a model as one of the approvers')
    .requiredOption('--as <name>', 'the approver whose key signs')
    .option('--model <id>', 'the sealed model (default: the one sealed last)')
    .action(action<ApproveOptions>(async (context, options) => approveHome(context, options)));
}

export async function approveHome(context: Context, options: ApproveOptions): Promise<void> {
  const { home, output } = context;
  await readHomeConfig(home);
  const dir = await modelDirectory(home, options.model);
  await using keyStore = await openApproverStore(home, options.as);
  const releasePackage = await readReleasePackage(dir);
  const release = parseRelease(releasePackage.release);
  const releaseDigest = toHex(await releaseDigestOf(releasePackage.bundle));
  await approveRelease({ dir, approver: options.as, keyStore, keyId: keyIds.approver, now: new Date() });
  output.step(
    'release-approved',
    `${options.as} approved ${release.modelId} v${release.version}, digest ${shortHex(releaseDigest)}`,
    {
      approver: options.as,
      modelId: release.modelId,
      version: release.version,
      releaseDigest,
    },
  );
}
