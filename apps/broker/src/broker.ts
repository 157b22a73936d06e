import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { vendorAnchors, type TrustAnchors } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { attributedAudit } from './admin/acting.ts';
import { openAdminAuthentication } from './admin/authenticate.ts';
import { administratorsSchema, type AdministratorsInput } from './admin/options.ts';
import { openAuditLog } from './audit/log.ts';
import { createAuditNoise } from './audit/noise.ts';
import { createPolicyWatch } from './audit/policy-watch.ts';
import { openBrokerLog, type BrokerLogOptions } from './audit/broker-log.ts';
import { createCosigning } from './audit/cosigning.ts';
import { readWitnesses, requireWitnesses, witnessesSchema } from './audit/witnesses.ts';
import type { BrokerContext, BrokerSigner } from './context.ts';
import type { CompleteEndorsements } from './endorsements.ts';
import { openBrokerFreshness, type BrokerFreshnessOptions } from './freshness/broker-freshness.ts';
import { serveHttp, type ListenOptions } from './http/server.ts';
import { requireHardware } from './key-stores.ts';
import { brokerLimitsSchema, type BrokerLimitsInput } from './limits.ts';
import { openGovernance } from './lifecycle/in-force.ts';
import { createMaintenance, type Maintained } from './lifecycle/maintenance.ts';
import {
  lifecycleSchema,
  quorumOptionsSchema,
  type LifecycleOptionsInput,
  type QuorumOptionsInput,
} from './lifecycle/options.ts';
import { createLifecycleReplay } from './lifecycle/replay.ts';
import { lockInstance, lockPath } from './lock.ts';
import { parseBrokerPolicy, parseConfigPart, type BrokerPolicy, type ParsedBrokerPolicy } from './policy.ts';
import { countingAudit, createMetrics, timedKeyStore } from './operations/metrics.ts';
import { operationsSchema, serveOperations, type OperationsOptionsInput } from './operations/serve.ts';
import { rcarOptionsSchema, type RcarOptionsInput } from './rcar/options.ts';
import { migrateRcar } from './rcar/tables.ts';
import { createAuditReplay } from './replay.ts';
import { createApp } from './routes/app.ts';
import { shareIntakeSchema, type ShareIntake } from './share-intake.ts';
import {
  asStoreError,
  checkInstanceName,
  claimInstance,
  inTransaction,
  onlyInstance,
  openStore,
  raiseToRegistered,
  readAuditHead,
  type DatabaseLocation,
  type PostgresOptionsInput,
} from './store/index.ts';

export interface BrokerOptions {
  readonly listen: ListenOptions;
  /** A SQLite file of this broker's own. Either this or `database`. */
  readonly databasePath?: string;
  /** A PostgreSQL database, which other brokers may share. */
  readonly database?: PostgresOptionsInput;
  /** This broker's name among those that share its database; see `checkInstanceName`. Default: `default`. */
  readonly instance?: string;
  readonly auditPath: string;
  /** Where and under which name the audit log is kept as a transparency log. */
  readonly log?: BrokerLogOptions;
  /** Holds the keys that wrap the models' root keys. */
  readonly keyStore: KeyStore;
  /** The broker's own Ed25519 key: signs leases and attestation results. */
  readonly signer: { readonly keyStore: KeyStore; readonly keyId: string };
  readonly policy: BrokerPolicy;
  /** Takes in shares of keys that several brokers have together. Absent: this broker takes none. */
  readonly shareIntake?: ShareIntake;
  /** The first members of the quorum. Absent: no quorum, and administrators decide alone. */
  readonly quorum?: QuorumOptionsInput;
  /** Scheduled rotation of wrapping keys, and how long their destruction waits. */
  readonly lifecycle?: LifecycleOptionsInput;
  /** SHA-256 of the administrators' bearer token, lower-case hex; its holder is an owner. Absent: there is no such token. */
  readonly adminTokenSha256?: string;
  /** Administrators with roles, by client certificate or access token. Absent: there is the bearer token alone. */
  readonly administrators?: AdministratorsInput;
  /** Roots that evidence of hardware may end in. Default: AMD's, pinned. */
  readonly anchors?: TrustAnchors;
  /** Adds endorsements that an enclave did not send; see `openEndorsements`. Default: none are added. */
  readonly completeEndorsements?: CompleteEndorsements;
  /** What keeps database and log from being put back together. Absent: nothing does; say so wherever the broker is shown. */
  readonly freshness?: BrokerFreshnessOptions;
  /** Trustee-compatible endpoints below `/kbs/v0`. Absent: there are none. */
  readonly rcar?: RcarOptionsInput;
  /** A listener for monitoring. Absent: there is none, and nothing is counted. */
  readonly operations?: OperationsOptionsInput;
  readonly limits?: BrokerLimitsInput;
  readonly now?: () => Date;
  /** Receives errors that are not told to clients, for the log of the process. Default: dropped. */
  readonly report?: (error: unknown) => void;
}

export interface Broker {
  readonly url: string;
  /** Of the listener for monitoring, if there is one. */
  readonly operationsUrl: string | undefined;
  /** The broker's public key, SubjectPublicKeyInfo DER: `brokerKey` of the releases it serves. */
  readonly publicKey: Uint8Array;
  /** Does what is due now: scheduled destructions and rotations of keys. A running broker does it every minute by itself. */
  maintain(): Promise<Maintained>;
  /** The key of the transparency log as text (NAME+ID+BASE64): `logKey` of releases, and what `fastness log` pins. */
  readonly logKey: string;
  /** Stops listening, lets requests in progress end, closes log and database. The key stores stay open. */
  close(): Promise<void>;
}

/**
 * Starts a broker. The caller opens the key stores and closes them afterwards.
 *
 * Throws `BROKER_CONFIG_INVALID`, `BROKER_LOCKED` (another process has this database, log or name), `AUDIT_CHAIN_BROKEN`,
 * `BROKER_STORE_DAMAGED`, `BROKER_STORE_NEWER`, `BROKER_SIGNER_UNSUITABLE`, `KEYS_HARDWARE_REQUIRED`, `BROKER_KEY_STORE`, `BROKER_LISTEN`,
 * `FRESHNESS_...` (the state is not the one that was anchored last).
 *
 * Not protected against: whoever reads or writes this process's memory; a clock set back (releases and leases end by the
 * clock of this machine); without `freshness`, database and audit log both put back together to an earlier state.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const configured = parseBrokerPolicy(options.policy);
  const lifecycle = parseConfigPart(lifecycleSchema, options.lifecycle ?? {}, 'lifecycle');
  const quorum =
    options.quorum === undefined ? undefined : parseConfigPart(quorumOptionsSchema, options.quorum, 'quorum');
  const limits = parseConfigPart(brokerLimitsSchema, options.limits ?? {}, 'limits');
  const rcar = options.rcar === undefined ? undefined : parseConfigPart(rcarOptionsSchema, options.rcar, 'rcar');
  const operations =
    options.operations === undefined ? undefined : parseConfigPart(operationsSchema, options.operations, 'operations');
  const shareIntake =
    options.shareIntake === undefined
      ? undefined
      : parseConfigPart(shareIntakeSchema, options.shareIntake, 'shareIntake');
  const metrics = operations === undefined ? undefined : createMetrics();
  const now = options.now ?? (() => new Date());
  const clock = (): number => performance.now();
  const authentication = await openAdminAuthentication({
    ...(options.adminTokenSha256 === undefined ? {} : { tokenSha256: options.adminTokenSha256 }),
    ...(options.administrators === undefined
      ? {}
      : { administrators: parseConfigPart(administratorsSchema, options.administrators, 'administrators') }),
    tls: options.listen.tls !== undefined,
    now,
    clock,
  });
  const report = options.report ?? (() => {});
  const witnesses =
    options.log?.witnesses === undefined
      ? undefined
      : await readWitnesses(parseConfigPart(witnessesSchema, options.log.witnesses, 'log.witnesses'));
  const acceptPolicy = ({ policy }: ParsedBrokerPolicy): void => {
    requireHardware(policy, { wrapping: options.keyStore, signing: options.signer.keyStore });
    requireWitnesses(policy, witnesses);
  };
  acceptPolicy(configured);
  const signer = await openSigner(options.signer);

  await using opening = new AsyncDisposableStack();
  const location = locationOf(options);
  const instance = checkInstanceName(options.instance ?? onlyInstance);
  for (const path of [options.auditPath, ...(location.kind === 'sqlite' ? [location.path] : [])]) {
    const lock = lockPath(canonicalPath(path));
    opening.defer(() => {
      lock.release();
    });
  }
  if (location.kind === 'postgres') {
    const lock = await lockInstance(location.options, instance, report);
    opening.defer(() => lock.release());
  }
  const db = await openStore(location);
  opening.defer(() => db.destroy());
  if (rcar !== undefined) await migrateRcar(db);
  const knownHead = await asStoreError(() => readAuditHead(db, instance));
  const { auditPath } = options;
  const freshness =
    options.freshness === undefined
      ? undefined
      : await openBrokerFreshness({
          freshness: options.freshness,
          auditPath,
          signer,
          witnesses,
          databaseHead: knownHead,
          report,
        });
  opening.defer(() => freshness?.close());
  const { supersedeOnRegistration } = configured;
  const lifecycleReplay = createLifecycleReplay(knownHead?.seq ?? 0);
  const replay = createAuditReplay({ after: knownHead?.seq ?? 0, supersedeOnRegistration });
  const transparency = opening.use(
    await openBrokerLog({
      // Two logs under one name would look like one log that shows different people different things.
      ...(instance === onlyInstance ? {} : { origin: `fastness-broker/${signer.keyId.slice(0, 32)}/${instance}` }),
      ...options.log,
      auditPath: options.auditPath,
      signer,
      keyStore: options.signer.keyStore,
      report,
    }),
  );
  const policyWatch = createPolicyWatch();
  const audit = await openAuditLog({
    path: auditPath,
    now,
    knownHead,
    onEntry: (entry, line) => {
      replay.see(entry);
      lifecycleReplay.see(entry);
      freshness?.see(entry);
      policyWatch.see(entry);
      transparency.see(line);
    },
    mirror: transparency.mirror,
  });
  opening.defer(() => audit.close());
  freshness?.check(knownHead);
  await transparency.catchUp();
  await replay.apply(db);
  await inTransaction(db, (trx) => lifecycleReplay.apply(trx));
  const governance = await openGovernance({
    db,
    policy: configured,
    acceptPolicy,
    lifecycle,
    quorum,
    signer,
    // A server may have other brokers, whose changes are in their logs.
    logged: { ...lifecycleReplay.logged(), all: location.kind === 'sqlite' },
  });
  const { policy } = governance;
  // What was registered under an earlier policy counts too.
  if (supersedeOnRegistration) await inTransaction(db, raiseToRegistered);
  await policyWatch.record(audit, policy);
  const started = await audit.append('start', {
    brokerKey: signer.keyId,
    policyId: policy.policy.id,
    policyDigest: policy.digest,
    keyStore: options.keyStore.kind,
    hardwareKeyStore: options.keyStore.hardware,
    simulatedTeeAllowed: policy.policy.attestation.simulated !== undefined,
    freshness: freshness?.anchor.kind ?? 'none',
    ...(freshness === undefined ? {} : { freshnessFound: freshness.found }),
  });
  const claim = await inTransaction(db, (trx) => claimInstance(trx, instance, started));
  await freshness?.committed('start', started);
  const attributed = attributedAudit(audit);
  const counted = metrics === undefined ? attributed : countingAudit(attributed, metrics);
  const noise = createAuditNoise({ log: counted, rate: limits.auditNoise, now, clock });
  const cosigning =
    witnesses === undefined
      ? undefined
      : opening.use(
          createCosigning({
            log: transparency.log,
            witnesses,
            onAnswer: (name, error) => metrics?.witnessed(name, error?.code ?? 'cosigned'),
            onCosigned: (size) => metrics?.cosigned(size),
            report,
          }),
        );
  const context: BrokerContext = {
    db,
    claim,
    audit: counted,
    noise,
    transparency,
    ...(cosigning === undefined ? {} : { cosigning }),
    keyStore: metrics === undefined ? options.keyStore : timedKeyStore(options.keyStore, metrics, clock),
    signer,
    ...(shareIntake === undefined ? {} : { shareIntake }),
    get policy() {
      return governance.policy;
    },
    governance,
    anchors: options.anchors ?? vendorAnchors,
    ...(options.completeEndorsements === undefined ? {} : { completeEndorsements: options.completeEndorsements }),
    ...(freshness === undefined ? {} : { freshness }),
    limits,
    now,
  };
  // Counts of suppressed entries must not wait for the next entry that gets through.
  const flush = setInterval(() => {
    noise.flush().catch(report);
  }, 60_000);
  flush.unref();
  opening.defer(async () => {
    clearInterval(flush);
    if (audit.failed) return;
    await noise.flush();
    await audit.append('stop', {});
  });
  const maintain = createMaintenance(context);
  const maintenance = setInterval(() => {
    maintain().catch(report);
  }, 60_000);
  maintenance.unref();
  opening.defer(() => clearInterval(maintenance));
  const app = createApp({
    context,
    authentication,
    report,
    ...(rcar === undefined ? {} : { rcar }),
    ...(metrics === undefined ? {} : { metrics }),
  });
  const { tls } = options.listen;
  const { clientAuthorities } = authentication;
  const listen =
    tls === undefined || clientAuthorities === undefined
      ? options.listen
      : { ...options.listen, tls: { ...tls, clientAuthorities } };
  const endpoint = await serveHttp({ listen, limits, fetch: app.fetch });
  opening.defer(() => endpoint.close());
  const monitoring =
    operations === undefined || metrics === undefined
      ? undefined
      : await serveOperations(context, { listen: operations, metrics });
  opening.defer(() => monitoring?.close());

  const running = opening.move();
  let closing: Promise<void> | undefined;
  return {
    url: endpoint.url,
    operationsUrl: monitoring?.url,
    publicKey: signer.publicKey,
    maintain,
    logKey: transparency.key.text,
    close: () => (closing ??= running.disposeAsync()),
  };
}

function locationOf({ databasePath, database }: BrokerOptions): DatabaseLocation {
  if ((databasePath === undefined) === (database === undefined)) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'Expected databasePath or database, and not both.');
  }
  if (databasePath !== undefined) return { kind: 'sqlite', path: databasePath };
  return { kind: 'postgres', options: database ?? { url: '' } };
}

/** DER of an Ed25519 SubjectPublicKeyInfo, up to the 32 bytes of the key (RFC 8410). */
const ed25519Prefix = '302a300506032b6570032100';

async function openSigner({ keyStore, keyId }: BrokerOptions['signer']): Promise<BrokerSigner> {
  let publicKey: Uint8Array;
  try {
    publicKey = await keyStore.publicKey(keyId);
  } catch (cause) {
    throw new FastnessError('BROKER_KEY_STORE', undefined, { cause });
  }
  if (publicKey.length !== 44 || !toHex(publicKey).startsWith(ed25519Prefix)) {
    throw new FastnessError('BROKER_SIGNER_UNSUITABLE', `Key ${keyId}.`);
  }
  return {
    publicKey,
    keyId: createHash('sha256').update(publicKey).digest('hex'),
    async sign(message) {
      try {
        return await keyStore.sign(keyId, message);
      } catch (cause) {
        throw new FastnessError('BROKER_KEY_STORE', undefined, { cause });
      }
    },
  };
}

/** One name for one file, however it was spelt: the lock must not be dodged through a symbolic link to its folder. */
function canonicalPath(path: string): string {
  const absolute = resolve(path);
  return join(realpathSync(dirname(absolute)), basename(absolute));
}
