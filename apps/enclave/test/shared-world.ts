import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectSession, simulatedCollector } from '@fastness/evidence';
import {
  createShareIntake,
  keysFor,
  makeBrokerCard,
  shareHolderOf,
  startBroker,
  type Broker,
  type BrokerPolicy,
} from '@fastness/broker';
import { toBase64Url } from '@fastness/codec';
import { createSoftwareKeyStore } from '@fastness/keys';
import {
  approveRelease,
  readReleasePackage,
  readSealedModel,
  releaseSharesOf,
  sealSharedModel,
  signRelease,
} from '@fastness/model';
import { startSimulatedTee, type SimulatedTee } from '@fastness/testkit/simulated-tee';
import type { CollectEvidence } from '../src/boot/request-key.ts';
import type { EnclaveConfigInput } from '../src/config.ts';
import { simulatedOnly } from './simulated-policy.ts';

const adminToken = randomBytes(32).toString('base64url');
const modelId = 'triage';

/** One of the brokers: a key store, a database, a log and a policy of its own. */
interface WorldBroker {
  readonly share: number;
  readonly url: string;
  /** Starts it, again on the same port and data, and registers its share. */
  start(ttlSeconds?: number): Promise<void>;
  stop(): Promise<void>;
  revokeRelease(): Promise<void>;
}

/** An owner, three brokers that share a key of which two open the model, and a simulated TEE: all real. */
export interface SharedWorld extends AsyncDisposable {
  readonly modelDir: string;
  readonly releaseDigest: string;
  readonly tee: SimulatedTee;
  readonly collect: CollectEvidence;
  readonly brokers: readonly [WorldBroker, WorldBroker, WorldBroker];
  config(changes?: Partial<EnclaveConfigInput>): EnclaveConfigInput;
}

export async function createSharedWorld(source: string): Promise<SharedWorld> {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'fastness-shared-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const tee = stack.use(
    await startSimulatedTee({
      stateDir: join(directory, 'tee'),
      socketPath: join(directory, 'tee.sock'),
      image: ['src'],
      root: join(import.meta.dirname, '..'),
      warn: () => {},
      rsaBits: 2048,
    }),
  );
  const passphrase = new TextEncoder().encode('a passphrase for tests only');
  const cost = { memory: 19_456, passes: 2, parallelism: 1 };
  const owners = stack.use(await createSoftwareKeyStore({ path: join(directory, 'owners'), passphrase, cost }));
  await owners.create({ id: 'owner', purpose: 'sign', algorithm: 'P-384' });
  await owners.create({ id: 'alice', purpose: 'sign', algorithm: 'Ed25519' });
  const spki = async (id: string): Promise<string> => toBase64Url(await owners.publicKey(id));
  const policy: BrokerPolicy = {
    version: 1,
    id: 'test',
    ownerKeys: [await spki('owner')],
    quorum: { threshold: 1, approvers: [{ id: 'alice', publicKey: await spki('alice') }] },
    attestation: simulatedOnly(tee),
    lease: { ttlSeconds: 3600, renewSuperseded: false },
  };

  const modelDir = join(directory, 'sealed');
  const makeBroker = async (share: number) => {
    const keyStore = stack.use(
      await createSoftwareKeyStore({ path: join(directory, `keys${share}`), passphrase, cost }),
    );
    await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    await keyStore.create({ id: 'broker', purpose: 'sign', algorithm: 'Ed25519' });
    const shareIntake = await createShareIntake({ keyStore, keyId: 'kek' });
    const signer = { keyStore, keyId: 'broker' };
    const card = await makeBrokerCard({ signer, intake: shareIntake });
    let running: Broker | undefined;
    let port = 0;
    stack.defer(async () => running?.close());
    const admin = async (method: string, path: string, body: unknown): Promise<void> => {
      const response = await fetch(new URL(path, running?.url), {
        method,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    };
    const broker: WorldBroker = {
      share,
      get url() {
        return `http://127.0.0.1:${port}`;
      },
      async start(ttlSeconds = 3600) {
        running = await startBroker({
          listen: { host: '127.0.0.1', port },
          databasePath: join(directory, `broker${share}.sqlite`),
          auditPath: join(directory, `audit${share}.jsonl`),
          keyStore,
          signer,
          shareIntake,
          policy: { ...policy, lease: { ttlSeconds, renewSuperseded: false } },
          adminTokenSha256: createHash('sha256').update(adminToken).digest('hex'),
        });
        port = Number(new URL(running.url).port);
        const { keys } = await readSealedModel(modelDir);
        const given = keysFor(keys, await keyStore.publicKey('broker'));
        const body = { package: await readReleasePackage(modelDir), keys: given };
        await admin('PUT', 'v1/admin/releases', body);
      },
      async stop() {
        await running?.close();
        running = undefined;
      },
      revokeRelease: () =>
        admin('POST', 'v1/admin/revocations', { kind: 'release', value: world.releaseDigest, reason: 'a test' }),
    };
    return { broker, card };
  };
  const made = [await makeBroker(1), await makeBroker(2), await makeBroker(3)] as const;
  await sealSharedModel({
    source,
    target: modelDir,
    modelId,
    engine: 'llama',
    task: 'generate',
    threads: 1,
    threshold: 2,
    holders: made.map(({ card }) => shareHolderOf(card)),
  });
  const { manifest, keys } = await readSealedModel(modelDir);
  const shared = releaseSharesOf(manifest, keys);
  const now = new Date();
  const { releaseDigest } = await signRelease({
    dir: modelDir,
    keyStore: owners,
    keyId: 'owner',
    release: {
      format: 'fastness/release/v1',
      modelId,
      version: 1,
      notBefore: new Date(now.getTime() - 3600_000).toISOString(),
      expires: new Date(now.getTime() + 24 * 3600_000).toISOString(),
      measurements: [{ tee: 'sev-snp', simulated: true, value: tee.measurement }],
      ...(shared === undefined ? {} : { keyShares: shared }),
    },
  });
  await approveRelease({ dir: modelDir, approver: 'alice', keyStore: owners, keyId: 'alice', now });
  const collector = simulatedCollector({ socketPath: tee.socketPath });
  const brokers = [made[0].broker, made[1].broker, made[2].broker] as const;
  const resources = stack.move();
  const world: SharedWorld = {
    modelDir,
    releaseDigest: Buffer.from(releaseDigest).toString('hex'),
    tee,
    collect: (session) => collectSession({ cpu: collector }, session),
    brokers,
    config: (changes = {}) => ({
      listen: { port: 0 },
      brokerUrls: Object.fromEntries(brokers.map(({ share, url }) => [share, url])),
      modelDir,
      evidence: { kind: 'simulated', socketPath: tee.socketPath },
      engine: { sequences: 2 },
      limits: { attestationsPerSecond: 1000 },
      ...changes,
    }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
  return world;
}
