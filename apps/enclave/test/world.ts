import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64Url } from '@fastness/codec';
import { brokerLogKey, startBroker, type Broker } from '@fastness/broker';
import { createSoftwareKeyStore } from '@fastness/keys';
import {
  approveRelease,
  readReleasePackage,
  sealModel,
  signAccess,
  signRelease,
  type Access,
  type ModelEngine,
  type ModelTask,
} from '@fastness/model';
import type { TrafficProfileName } from '@fastness/model/release';
import { startSimulatedTee, type SimulatedTee } from '@fastness/testkit/simulated-tee';
import type { EnclaveConfigInput } from '../src/config.ts';
import { simulatedOnly } from './simulated-policy.ts';

const adminToken = randomBytes(32).toString('base64url');

export interface WorldOptions {
  readonly source: string;
  readonly engine: ModelEngine;
  readonly task: ModelTask;
  readonly ttlSeconds?: number;
  /** What the release promises. */
  readonly traffic?: TrafficProfileName;
  /** Lets in only tenants; `letIn` says who they are. */
  readonly tenantsOnly?: boolean;
}

/** An owner, an approver, a broker and a simulated TEE, all real, around one sealed and released model. */
export interface World extends AsyncDisposable {
  readonly directory: string;
  readonly modelDir: string;
  readonly tee: SimulatedTee;
  readonly releaseDigest: string;
  broker: Broker | undefined;
  /** Starts the broker (again, on the same port and data) and registers the release. */
  startBroker(): Promise<Broker>;
  register(): Promise<void>;
  revoke(kind: 'release' | 'measurement', value: string): Promise<void>;
  /** SubjectPublicKeyInfo, base64url. */
  ownerKey(): Promise<string>;
  /** Signs a list of tenants of the model and puts it beside it. */
  letIn(access: Partial<Access>): Promise<void>;
  config(changes?: Partial<EnclaveConfigInput>): EnclaveConfigInput;
}

export async function createWorld(options: WorldOptions): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'fastness-enclave-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const tee = await startSimulatedTee({
    stateDir: join(directory, 'tee'),
    socketPath: join(directory, 'tee.sock'),
    image: ['src'],
    root: join(import.meta.dirname, '..'),
    warn: () => {},
    rsaBits: 2048,
  });
  stack.use(tee);
  const keyStore = await createSoftwareKeyStore({
    path: join(directory, 'keys'),
    passphrase: new TextEncoder().encode('a passphrase for tests only'),
    cost: { memory: 19_456, passes: 2, parallelism: 1 },
  });
  stack.use(keyStore);
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  await keyStore.create({ id: 'owner', purpose: 'sign', algorithm: 'P-384' });
  for (const id of ['alice', 'broker']) await keyStore.create({ id, purpose: 'sign', algorithm: 'Ed25519' });
  const spki = async (id: string): Promise<string> => toBase64Url(await keyStore.publicKey(id));

  const modelDir = join(directory, 'sealed');
  const modelId = 'triage';
  const { source, engine, task } = options;
  await sealModel({ source, target: modelDir, modelId, engine, task, keyStore, kekId: 'kek', threads: 1 });
  const now = new Date();
  const { releaseDigest } = await signRelease({
    dir: modelDir,
    keyStore,
    keyId: 'owner',
    release: {
      format: 'fastness/release/v1',
      modelId,
      version: 1,
      notBefore: new Date(now.getTime() - 3600_000).toISOString(),
      expires: new Date(now.getTime() + 24 * 3600_000).toISOString(),
      measurements: [{ tee: 'sev-snp', simulated: true, value: tee.measurement }],
      brokerKey: await spki('broker'),
      ...(options.traffic === undefined ? {} : { traffic: options.traffic }),
      ...(options.tenantsOnly === true ? { access: { key: await spki('owner'), leastVersion: 1 } } : {}),
      logKey: (await brokerLogKey(await keyStore.publicKey('broker'))).text,
    },
  });
  await approveRelease({ dir: modelDir, approver: 'alice', keyStore, keyId: 'alice', now });

  let port = 0;
  const world: World = {
    directory,
    modelDir,
    tee,
    releaseDigest: Buffer.from(releaseDigest).toString('hex'),
    broker: undefined,
    async startBroker() {
      const broker = await startBroker({
        listen: { host: '127.0.0.1', port },
        databasePath: join(directory, 'broker.sqlite'),
        auditPath: join(directory, 'audit.jsonl'),
        keyStore,
        signer: { keyStore, keyId: 'broker' },
        adminTokenSha256: createHash('sha256').update(adminToken).digest('hex'),
        policy: {
          version: 1,
          id: 'test',
          ownerKeys: [await spki('owner')],
          quorum: { threshold: 1, approvers: [{ id: 'alice', publicKey: await spki('alice') }] },
          attestation: simulatedOnly(tee),
          lease: { ttlSeconds: options.ttlSeconds ?? 60, renewSuperseded: false },
        },
      });
      port = Number(new URL(broker.url).port);
      world.broker = broker;
      return broker;
    },
    async register() {
      const keys: unknown = JSON.parse(readFileSync(join(modelDir, 'keys.json'), 'utf8'));
      await admin('PUT', 'v1/admin/releases', { package: await readReleasePackage(modelDir), keys });
    },
    async revoke(kind, value) {
      await admin('POST', 'v1/admin/revocations', { kind, value, reason: 'a test' });
    },
    ownerKey: () => spki('owner'),
    async letIn(access) {
      const expires = new Date(now.getTime() + 3600_000).toISOString();
      await signAccess({
        dir: modelDir,
        access: { format: 'fastness/access/v1', modelId, version: 1, expires, tenants: [], ...access },
        keyStore,
        keyId: 'owner',
      });
    },
    config: (changes = {}) => ({
      listen: { port: 0 },
      brokerUrl: `http://127.0.0.1:${port}`,
      modelDir,
      evidence: { kind: 'simulated', socketPath: tee.socketPath },
      engine: { sequences: 2 },
      limits: { attestationsPerSecond: 1000 },
      ...changes,
    }),
    [Symbol.asyncDispose]: async () => {
      await world.broker?.close();
      await resources.disposeAsync();
    },
  };
  const admin = async (method: string, path: string, body: unknown): Promise<void> => {
    const response = await fetch(new URL(path, world.broker?.url), {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  };
  const resources = stack.move();
  return world;
}
