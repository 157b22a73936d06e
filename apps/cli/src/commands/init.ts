import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command, Option } from 'commander';
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
import { names, wholeNumber } from '../support/option-values.ts';
import { attestationPolicyFor } from '../support/policy.ts';
import type { Context } from '../support/run.ts';
import { simulatedBanner, simulatedTrust } from '../support/simulated.ts';
import { createApproverStore, createStore, ensureKey, keyIds } from '../support/stores.ts';
import { openKeyStore, type KeySpec, type ManagedKeyStore } from '@fastness/keys';

export interface InitOptions {
  readonly approvers: string[];
  readonly threshold: number;
  readonly tee: 'simulated' | 'auto';
  /** URI of a token or a key service: the model KEK and the owner's key are made there, and the broker's where it has Ed25519. */
  readonly store?: string;
  readonly requireHardware?: 'wrapping' | 'all';
}

export const defaultApprovers: readonly string[] = Object.freeze(['alice', 'bob', 'carol']);

export function initCommand(): Command {
  return new Command('init')
    .description("create a home: the owner's, the approvers' and the broker's keys, and the policies that pin them")
    .addOption(
      new Option('--approvers <names>', 'who may approve a release, separated by commas')
        .argParser(names)
        .default([...defaultApprovers], defaultApprovers.join(',')),
    )
    .option('--threshold <number>', 'how many of them must', wholeNumber(1, 16), 2)
    .addOption(
      new Option('--tee <kind>', 'simulated (no hardware, policies allow it) or auto (real hardware only)')
        .choices(['simulated', 'auto'])
        .default('simulated'),
    )
    .option(
      '--store <uri>',
      "keep the key that wraps models' keys (KEK), the owner's and the broker's key on this token or in this key service: docs/keys.md",
    )
    .addOption(
      new Option(
        '--require-hardware <keys>',
        'refuse software stores from now on: for keys that wrap models, or for all',
      ).choices(['wrapping', 'all']),
    )
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
async function makeHome(home: Home, options: InitOptions, signal: AbortSignal): Promise<MadeHome> {
  await makeDirectories(home);
  const { store: uri, requireHardware } = options;
  const required = requireHardware === undefined ? {} : { requireHardware };
  const elsewhere = uri === undefined ? {} : { keyStores: { kek: uri, owner: uri } };
  const adopted: string[] = [];
  const make = async (store: ManagedKeyStore, spec: KeySpec): Promise<void> => {
    if (!(await ensureKey(store, spec)).made) adopted.push(spec.id);
  };

  await using kek = await createStore(home, 'kek', { ...elsewhere, ...required });
  await make(kek, { id: keyIds.kek, purpose: 'wrap', algorithm: 'AES-256-GCM' });
  await using owner = await createStore(home, 'owner', { ...elsewhere, ...required });
  await make(owner, { id: keyIds.owner, purpose: 'sign', algorithm: 'P-384' });
  const brokerUri = uri !== undefined && (await makeBrokerKey(uri, make)) ? uri : undefined;
  if (brokerUri === undefined) {
    await using broker = await createStore(home, 'broker', required);
    await broker.create(brokerKey);
  }
  signal.throwIfAborted();
  const approvers: { id: string; publicKey: string }[] = [];
  for (const id of options.approvers) {
    signal.throwIfAborted();
    await using store = await createApproverStore(home, id, required);
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
    ...required,
  });
  await writeJson(home.clientPolicyFile, shared, 0o644);
  await writeFileAtomic(home.adminTokenFile, toBase64Url(randomBytes(32)));
  // Last: a home is a home once its configuration is there.
  const keyStores =
    uri === undefined ? {} : { keyStores: { kek: uri, owner: uri, ...(brokerUri && { broker: brokerUri }) } };
  await writeJson(home.configFile, { ...defaultHomeConfig, tee: options.tee, ...keyStores, ...required });
  return { keyStores: kek.description, adopted, brokerInSoftware: uri !== undefined && brokerUri === undefined };
}

interface MadeHome {
  readonly keyStores: string;
  /** Keys that were there already. */
  readonly adopted: readonly string[];
  /** The store has no Ed25519, which leases are signed with. */
  readonly brokerInSoftware: boolean;
}

const brokerKey = { id: keyIds.broker, purpose: 'sign', algorithm: 'Ed25519' } as const satisfies KeySpec;

/** Whether the store could: many have no Ed25519. */
async function makeBrokerKey(
  uri: string,
  make: (store: ManagedKeyStore, spec: KeySpec) => Promise<void>,
): Promise<boolean> {
  await using store = await openKeyStore(uri);
  try {
    await make(store, brokerKey);
    return true;
  } catch (error) {
    const code = error instanceof FastnessError ? error.code : undefined;
    if (code === 'KEYS_HSM_UNSUPPORTED' || code === 'KEYS_CLOUD_UNSUPPORTED') return false;
    throw error;
  }
}

function report({ home, output }: Context, options: InitOptions, made: MadeHome): void {
  const { approvers, threshold, tee } = options;
  output.step(
    'home-created',
    `Home ${home.path}: owner key P-384, ${approvers.length} approver keys (${threshold} must approve), broker key, model KEK`,
    { home: home.path, approvers, threshold, tee },
  );
  const { keyStores, adopted, brokerInSoftware } = made;
  output.detail(
    options.store === undefined
      ? `Key stores: ${keyStores}. Their passphrases lie beside them.`
      : `Model KEK and owner key: ${keyStores}. Approvers' keys: software stores with their passphrases beside them.`,
  );
  if (adopted.length > 0) output.warn(`These keys were there already and are used: ${adopted.join(', ')}.`);
  if (brokerInSoftware)
    output.warn("The store has no Ed25519, so the broker's key, which signs leases, lies in a software store.");
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
