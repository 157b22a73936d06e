import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { vendorAnchors } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import type { FreshnessAnchor } from '@fastness/evidence/freshness';
import { z } from 'zod';
import { administratorsAt, administratorsSchema } from './admin/options.ts';
import { witnessesSchema } from './audit/witnesses.ts';
import { startBroker, type Broker } from './broker.ts';
import { brokerEndorsementsSchema, openEndorsements } from './endorsements.ts';
import { brokerFreshnessSchema, freshnessAt, openAnchor } from './freshness/open-anchor.ts';
import { keyStoreIn, keyStoreSchema, openKeyStore } from './key-stores.ts';
import { lifecycleSchema, quorumOptionsSchema } from './lifecycle/options.ts';
import { brokerLimitsSchema } from './limits.ts';
import { brokerPolicySchema, parseConfigPart } from './policy.ts';
import { operationsSchema } from './operations/serve.ts';
import { shareIntakeSchema } from './share-intake.ts';
import { rcarOptionsSchema } from './rcar/options.ts';
import { postgresOptionsSchema, type PostgresOptions } from './store/location.ts';

const path = z
  .string()
  .min(1)
  .max(4096)
  .describe('A path; a relative one is relative to the folder of the configuration file.');

/** The broker's configuration file (JSON). It holds no secret: the administrators' token is here as its SHA-256. */
export const brokerConfigSchema = z.strictObject({
  version: z.literal(1),
  listen: z.strictObject({
    host: z.string().min(1).max(255).default('127.0.0.1'),
    port: z.int().min(0).max(65_535),
    /** PEM files. Absent: plain HTTP, and administrators are let in from this machine only. */
    tls: z.strictObject({ certificatePath: path, privateKeyPath: path }).exactOptional(),
  }),
  /** A SQLite file of this broker's own. Either this or `database`. */
  databasePath: path.exactOptional(),
  /** A PostgreSQL database, which other brokers may share. The password is in a file, never here. */
  database: postgresOptionsSchema.exactOptional(),
  /** This broker's name among those that share its database. */
  instance: z.string().min(1).max(63).exactOptional(),
  auditPath: path,
  /** The audit log as a transparency log (C2SP tiles). Every member has a default; see the documentation of the log. */
  log: z
    .strictObject({
      directory: path.exactOptional(),
      origin: z
        .string()
        .regex(/^[^\s\p{Cc}\p{Cs}\p{Z}+]{1,255}$/u)
        .exactOptional(),
      keyId: z.string().min(1).max(64).exactOptional(),
      earlierKeys: z.array(z.string().max(512)).max(16).exactOptional(),
      /** Who cosigns its checkpoints. Absent: nobody is asked. */
      witnesses: witnessesSchema.exactOptional(),
    })
    .exactOptional(),
  /** Holds the wrapping keys of the models. */
  keyStore: keyStoreSchema,
  /** The broker's Ed25519 key, in the key store above unless `keyStore` names another. */
  signer: z.strictObject({ keyId: z.string().min(1).max(64), keyStore: keyStoreSchema.exactOptional() }),
  /** What `fastness card` made: takes in shares of keys that several brokers have together. Absent: none are taken in. */
  shareIntake: shareIntakeSchema.exactOptional(),
  /** The policy itself, or the path of a JSON file that holds it. */
  policy: z.union([brokerPolicySchema, path]),
  /** Absent: there is no bearer token, and `administrators` says who they are. */
  adminTokenSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional(),
  /** Administrators with roles, by client certificate or access token. */
  administrators: administratorsSchema.exactOptional(),
  /** The first members of the quorum. Absent: no quorum, and administrators decide alone. */
  quorum: quorumOptionsSchema.exactOptional(),
  /** Scheduled rotation of wrapping keys, and how long their destruction waits. */
  lifecycle: lifecycleSchema.exactOptional(),
  /** Fetching of endorsements that enclaves do not send. Absent: none are fetched. */
  endorsements: brokerEndorsementsSchema.exactOptional(),
  /** What keeps database and log from being put back together. Absent: nothing does, and the broker says so. */
  freshness: brokerFreshnessSchema.exactOptional(),
  /** Trustee-compatible endpoints below `/kbs/v0`. Absent: there are none. */
  rcar: rcarOptionsSchema.exactOptional(),
  /** A listener for monitoring: metrics and readiness. Absent: there is none. */
  operations: operationsSchema.exactOptional(),
  limits: brokerLimitsSchema.exactOptional(),
});

export type BrokerConfig = z.output<typeof brokerConfigSchema>;
export type BrokerConfigInput = z.input<typeof brokerConfigSchema>;

/** Reads a configuration file; paths in the result are absolute. Throws `BROKER_CONFIG_INVALID`. */
export async function loadBrokerConfig(configPath: string): Promise<BrokerConfig> {
  const folder = dirname(resolve(configPath));
  const at = (relative: string): string => resolve(folder, relative);
  const config = parseConfigPart(brokerConfigSchema, await readJsonFile(configPath), 'config');
  const policy = typeof config.policy === 'string' ? await readJsonFile(at(config.policy)) : config.policy;
  const { tls, ...listen } = config.listen;
  const { keyStore: signerStore, ...signer } = config.signer;
  return {
    ...config,
    listen: {
      ...listen,
      ...(tls === undefined
        ? {}
        : { tls: { certificatePath: at(tls.certificatePath), privateKeyPath: at(tls.privateKeyPath) } }),
    },
    ...(config.databasePath === undefined ? {} : { databasePath: at(config.databasePath) }),
    ...(config.database === undefined ? {} : { database: databaseAt(config.database, at) }),
    auditPath: at(config.auditPath),
    ...(config.log?.directory === undefined ? {} : { log: { ...config.log, directory: at(config.log.directory) } }),
    keyStore: keyStoreIn(folder, config.keyStore),
    signer: { ...signer, ...(signerStore === undefined ? {} : { keyStore: keyStoreIn(folder, signerStore) }) },
    policy: parseConfigPart(brokerPolicySchema, policy, 'policy'),
    ...(config.administrators === undefined ? {} : { administrators: administratorsAt(config.administrators, at) }),
    ...(config.freshness === undefined ? {} : { freshness: freshnessAt(config.freshness, at) }),
    ...(config.endorsements === undefined
      ? {}
      : { endorsements: { ...config.endorsements, cachePath: at(config.endorsements.cachePath) } }),
  };
}

/** A running broker that owns its key stores: closing it closes them too. */
export interface ConfiguredBroker extends Broker {
  /** What keeps the keys, for a log line or a screen. */
  readonly keyStore: { readonly description: string; readonly hardware: boolean };
  /** Whether the policy lets the simulated TEE have keys. Say so wherever the broker is shown. */
  readonly simulatedTeeAllowed: boolean;
  /** What keeps the state from being put back; undefined when nothing does. Say so wherever the broker is shown. */
  readonly freshness: { readonly description: string; readonly trust: string } | undefined;
}

/** Opens the key stores of a configuration and starts its broker. Throws as they and `startBroker` do. */
export async function startConfiguredBroker(
  config: BrokerConfig,
  options: { report?: (error: unknown) => void; adoptState?: boolean } = {},
): Promise<ConfiguredBroker> {
  await using opening = new AsyncDisposableStack();
  const keyStore = opening.use(await openKeyStore(config.keyStore));
  const signerStore =
    config.signer.keyStore === undefined ? keyStore : opening.use(await openKeyStore(config.signer.keyStore));
  const { tls, ...listen } = config.listen;
  const { endorsements } = config;
  const policy = parseConfigPart(brokerPolicySchema, config.policy, 'policy');
  // Opened once the state is locked: a second broker must not disturb the first one's TPM.
  let anchor: FreshnessAnchor | undefined;
  const { freshness } = config;
  const anchored = freshness !== undefined && freshness.anchor !== 'none';
  const broker = await startBroker({
    listen: {
      ...listen,
      ...(tls === undefined
        ? {}
        : {
            tls: { certificate: await readText(tls.certificatePath), privateKey: await readText(tls.privateKeyPath) },
          }),
    },
    ...(config.databasePath === undefined ? {} : { databasePath: config.databasePath }),
    ...(config.database === undefined ? {} : { database: config.database }),
    ...(config.instance === undefined ? {} : { instance: config.instance }),
    auditPath: config.auditPath,
    ...(config.log === undefined ? {} : { log: config.log }),
    keyStore,
    signer: { keyStore: signerStore, keyId: config.signer.keyId },
    policy,
    ...(config.adminTokenSha256 === undefined ? {} : { adminTokenSha256: config.adminTokenSha256 }),
    ...(config.administrators === undefined ? {} : { administrators: config.administrators }),
    ...(config.shareIntake === undefined ? {} : { shareIntake: config.shareIntake }),
    ...(config.quorum === undefined ? {} : { quorum: config.quorum }),
    ...(config.lifecycle === undefined ? {} : { lifecycle: config.lifecycle }),
    ...(endorsements === undefined
      ? {}
      : { completeEndorsements: await openEndorsements(endorsements, { anchors: vendorAnchors }) }),
    ...(anchored
      ? {
          freshness: {
            anchor: async (host) => (anchor = await openAnchor(freshness, host)),
            adopt: options.adoptState ?? false,
            ...(freshness.epochSeconds === undefined ? {} : { epochSeconds: freshness.epochSeconds }),
          },
        }
      : {}),
    ...(config.rcar === undefined ? {} : { rcar: config.rcar }),
    ...(config.operations === undefined ? {} : { operations: config.operations }),
    ...(config.limits === undefined ? {} : { limits: config.limits }),
    ...(options.report === undefined ? {} : { report: options.report }),
  });
  opening.defer(() => broker.close());
  const running = opening.move();
  let closing: Promise<void> | undefined;
  return {
    url: broker.url,
    operationsUrl: broker.operationsUrl,
    publicKey: broker.publicKey,
    maintain: () => broker.maintain(),
    logKey: broker.logKey,
    keyStore: { description: keyStore.description, hardware: keyStore.hardware },
    simulatedTeeAllowed: policy.attestation.simulated !== undefined,
    freshness: anchor && { description: anchor.description, trust: anchor.trust },
    close: () => (closing ??= running.disposeAsync()),
  };
}

/** Paths of a database's options, absolute. */
function databaseAt(options: PostgresOptions, at: (relative: string) => string): PostgresOptions {
  const { passwordFile, tls, ...rest } = options;
  const files = Object.entries(tls ?? {}).map(([name, file]) => [name, at(file ?? '')] as const);
  return {
    ...rest,
    ...(passwordFile === undefined ? {} : { passwordFile: at(passwordFile) }),
    ...(tls === undefined ? {} : { tls: Object.fromEntries(files) }),
  };
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new FastnessError('BROKER_CONFIG_INVALID', `Cannot read ${file}.`, { cause });
  }
}

async function readJsonFile(file: string): Promise<unknown> {
  const text = await readText(file);
  try {
    return JSON.parse(text);
  } catch {
    throw new FastnessError('BROKER_CONFIG_INVALID', `${file} is not JSON.`);
  }
}
