import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { toBase64Url } from '@fastness/codec';
import { action } from '../support/command.ts';
import {
  defaultHomeConfig,
  homeAt,
  homeExists,
  makePrivateDirectory,
  writeFileAtomic,
  writeJson,
  type Home,
} from '../support/home.ts';
import { attestationPolicyFor } from '../support/policy.ts';
import type { Context } from '../support/run.ts';
import { simulatedBanner, simulatedTrust } from '../support/simulated.ts';
import { createApproverStore, createStore, keyIds } from '../support/stores.ts';

export interface InitOptions {
  readonly approvers: string[];
  readonly threshold: number;
  readonly tee: 'simulated' | 'auto';
}

export const defaultApprovers: readonly string[] = Object.freeze(['alice', 'bob', 'carol']);

function parseNames(text: string): string[] {
  return text.split(',').map((name) => name.trim());
}

function parseThreshold(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 16)
    throw new InvalidArgumentError('a whole number from 1 to 16.');
  return value;
}

export function initCommand(): Command {
  return new Command('init')
    .description("create a home: the owner's, the approvers' and the broker's keys, and the policies that pin them")
    .option('--approvers <names>', 'who may approve a release, separated by commas', parseNames, [...defaultApprovers])
    .option('--threshold <number>', 'how many of them must', parseThreshold, 2)
    .option('--tee <kind>', 'simulated (no hardware, policies allow it) or auto (real hardware only)', 'simulated')
    .action(action<InitOptions>(async (context, options) => initHome(context, options)));
}

export async function initHome(context: Context, options: InitOptions): Promise<void> {
  const { home } = context;
  if (homeExists(home)) throw new FastnessError('CLI_HOME_EXISTS', home.path);
  if (options.tee !== 'simulated' && options.tee !== 'auto')
    throw new FastnessError('CLI_USAGE', '--tee is simulated or auto.');
  if (new Set(options.approvers).size !== options.approvers.length)
    throw new FastnessError('CLI_USAGE', 'Two approvers have the same name.');
  if (options.threshold > options.approvers.length) {
    throw new FastnessError(
      'CLI_USAGE',
      `${options.threshold} approvals of ${options.approvers.length} approvers are impossible.`,
    );
  }
  await refuseOccupied(home);
  // Everything is made beside the home and moved into place at the end: there is a whole home or none.
  const staging = homeAt(`${home.path}.init-${process.pid}`);
  try {
    const made = await makeHome(staging, options, context.signal);
    await rename(staging.path, home.path);
    report(context, options, made);
  } finally {
    await rm(staging.path, { recursive: true, force: true });
  }
}

async function refuseOccupied(home: Home): Promise<void> {
  const entries = await readdir(home.path).catch(() => []);
  if (entries.length > 0) throw new FastnessError('CLI_HOME_NOT_EMPTY', home.path);
  await makePrivateDirectory(dirname(home.path));
}

/** Makes keys and policies; returns what the key stores say of themselves. */
async function makeHome(home: Home, options: InitOptions, signal: AbortSignal): Promise<string> {
  await makeDirectories(home);

  await using kek = await createStore(home, 'kek');
  await kek.create({ id: keyIds.kek, purpose: 'wrap', algorithm: 'AES-256-GCM' });
  await using owner = await createStore(home, 'owner');
  await owner.create({ id: keyIds.owner, purpose: 'sign', algorithm: 'P-384' });
  await using broker = await createStore(home, 'broker');
  await broker.create({ id: keyIds.broker, purpose: 'sign', algorithm: 'Ed25519' });
  signal.throwIfAborted();
  const approvers: { id: string; publicKey: string }[] = [];
  for (const id of options.approvers) {
    signal.throwIfAborted();
    await using store = await createApproverStore(home, id);
    await store.create({ id: keyIds.approver, purpose: 'sign', algorithm: 'P-256' });
    approvers.push({ id, publicKey: toBase64Url(await store.publicKey(keyIds.approver)) });
  }

  const trust = options.tee === 'simulated' ? await simulatedTrust(home) : undefined;
  const shared = {
    version: 1,
    ownerKeys: [toBase64Url(await owner.publicKey(keyIds.owner))],
    quorum: { threshold: options.threshold, approvers },
    attestation: attestationPolicyFor(trust),
  };
  await writeJson(home.brokerPolicyFile, {
    ...shared,
    id: 'fastness-broker',
    lease: { ttlSeconds: 60, renewSuperseded: true },
  });
  await writeJson(home.clientPolicyFile, shared, 0o644);
  await writeFileAtomic(home.adminTokenFile, toBase64Url(randomBytes(32)));
  // Last: a home is a home once its configuration is there.
  await writeJson(home.configFile, { ...defaultHomeConfig, tee: options.tee });
  return kek.description;
}

function report({ home, output }: Context, options: InitOptions, keyStores: string): void {
  const { approvers, threshold, tee } = options;
  output.step(
    'home-created',
    `Home ${home.path}: owner key P-384, ${approvers.length} approver keys (${threshold} must approve), broker key, model KEK`,
    { home: home.path, approvers, threshold, tee },
  );
  output.detail(`Key stores: ${keyStores}. Their passphrases lie beside them.`);
  if (tee === 'simulated') output.warn(simulatedBanner);
}

async function makeDirectories(home: Home): Promise<void> {
  for (const path of [
    home.path,
    home.keyDirectory,
    home.approverDirectory,
    home.policyDirectory,
    home.modelDirectory,
    home.brokerDirectory,
    home.simulatedTeeDirectory,
    home.receiptDirectory,
    home.logDirectory,
    home.runDirectory,
  ]) {
    await makePrivateDirectory(path);
  }
}
