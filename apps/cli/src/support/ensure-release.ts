import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readReleasePackage } from '@fastness/model';
import { parseRelease, type Release } from '@fastness/model/release';
import { approveHome } from '../commands/approve.ts';
import { signHome } from '../commands/sign.ts';
import { parseBrokerPolicy } from '@fastness/broker';
import { readPolicyDocument } from './attest/policy-file.ts';
import { modelDirectory, readHomeConfig, readText } from './home.ts';
import { parseDuration } from './format.ts';
import type { Context } from './run.ts';
import { simulatedTrust } from './simulated.ts';

const defaultLifetimeMilliseconds = parseDuration('90d') ?? 0;
/** A release this close to its end is replaced rather than reused. */
const minimumRemainingMilliseconds = 24 * 3_600_000;

/**
 * Leaves the default model with a release that is signed, approved by the quorum, in time and for the enclave as it is
 * on disk now; the one from last time is kept when it still is all of that.
 */
export async function ensureRelease(context: Context): Promise<void> {
  const { home, output } = context;
  const dir = await modelDirectory(home, undefined);
  const policy = parseBrokerPolicy((await readPolicyDocument(home.brokerPolicyFile, new Date())).document).policy;
  const present = await presentRelease(dir);
  if (present !== undefined && (await stillFits(context, present))) {
    output.step('release-found', `Release ${present.modelId} v${present.version} is signed and in time`, {
      modelId: present.modelId,
      version: present.version,
    });
  } else {
    await signHome(context, { expiresIn: defaultLifetimeMilliseconds });
  }
  const { approvals } = await readReleasePackage(dir);
  if (approvals.length >= policy.quorum.threshold) return;
  for (const approver of policy.quorum.approvers.slice(0, policy.quorum.threshold)) {
    context.signal.throwIfAborted();
    if (!existsSync(join(dir, 'approvals', `${approver.id}.json`))) await approveHome(context, { as: approver.id });
  }
}

async function presentRelease(dir: string): Promise<Release | undefined> {
  if (!existsSync(join(dir, 'model.sig'))) return undefined;
  return parseRelease(await readText(join(dir, 'release.json')));
}

async function stillFits(context: Context, release: Release): Promise<boolean> {
  if (Date.parse(release.expires) - Date.now() < minimumRemainingMilliseconds) return false;
  if ((await readHomeConfig(context.home)).tee !== 'simulated') return true;
  const { measurement } = await simulatedTrust(context.home);
  return release.measurements.some((entry) => entry.simulated && entry.value === measurement);
}
