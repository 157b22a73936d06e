import { cpSync } from 'node:fs';
import { toHex } from '@fastness/codec/bytes';
import { createSoftwareKeyStore, type ManagedKeyStore } from '@fastness/keys';
import {
  approveRelease,
  parseManifest,
  readReleasePackage,
  readSealedModel,
  releaseSharesOf,
  sealSharedModel,
  signRelease,
  type KeySharesFile,
  type Manifest,
} from '@fastness/model';
import { releaseDigestOf, type Release, type ReleasePackage } from '@fastness/model/release';
import {
  createShareIntake,
  keysFor,
  makeBrokerCard,
  readBrokerCard,
  shareHolderOf,
  type Broker,
  type BrokerCard,
  type BrokerOptions,
  type GivenKeys,
  type ShareIntake,
} from '../src/index.ts';
import { freshPath } from './fresh-path.ts';
import { dawn, measurement, passphrase, tinyModel, type World } from './world.ts';

/** One of the brokers that share a key, with a key store, a log and a database of its own. */
export interface ShareBroker {
  readonly keyStore: ManagedKeyStore;
  readonly publicKey: Uint8Array;
  readonly intake: ShareIntake;
  readonly card: BrokerCard;
  start(changes?: Partial<BrokerOptions>): Promise<Broker>;
}

export async function createShareBroker(world: World): Promise<ShareBroker> {
  const cost = { memory: 19_456, passes: 2, parallelism: 1 };
  const keyStore = await createSoftwareKeyStore({ path: freshPath(world.directory, 'keys'), passphrase, cost });
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  await keyStore.create({ id: 'broker', purpose: 'sign', algorithm: 'Ed25519' });
  const intake = await createShareIntake({ keyStore, keyId: 'kek' });
  const signer = { keyStore, keyId: 'broker' };
  const card = await readBrokerCard(JSON.stringify(await makeBrokerCard({ signer, intake })));
  return {
    keyStore,
    publicKey: await keyStore.publicKey('broker'),
    intake,
    card,
    start: (changes) => world.start({ keyStore, signer, shareIntake: intake, ...changes }),
  };
}

/** A release whose key several brokers share. */
export interface SharedRelease {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly package: ReleasePackage;
  readonly file: Omit<KeySharesFile, 'format'>;
  readonly digest: Uint8Array;
  readonly digestHex: string;
  /** What is registered with one of them. */
  keysOf(broker: Pick<ShareBroker, 'publicKey'>): GivenKeys;
}

export async function sealShared(
  world: World,
  options: { readonly brokers: readonly ShareBroker[]; readonly threshold: number; readonly modelId?: string },
): Promise<string> {
  const target = freshPath(world.directory, 'shared');
  await sealSharedModel({
    source: tinyModel(world.directory),
    target,
    modelId: options.modelId ?? 'shared',
    engine: 'llama',
    task: 'generate',
    threads: 1,
    threshold: options.threshold,
    holders: options.brokers.map(({ card }) => shareHolderOf(card)),
  });
  return target;
}

export async function releaseShared(
  world: World,
  sealed: string,
  changes: Partial<Release> = {},
): Promise<SharedRelease> {
  const directory = freshPath(world.directory, 'release');
  cpSync(sealed, directory, { recursive: true });
  const { manifest, keys } = await readSealedModel(directory);
  const keyShares = releaseSharesOf(manifest, keys);
  if (keys.kind !== 'shares' || keyShares === undefined) throw new Error('not shared');
  const release: Release = {
    format: 'fastness/release/v1',
    modelId: manifest.modelId,
    version: 1,
    notBefore: '2026-11-01T00:00:00Z',
    expires: '2026-12-24T00:00:00Z',
    measurements: [{ tee: 'sev-snp', simulated: false, value: measurement }],
    keyShares,
    ...changes,
  };
  await signRelease({ dir: directory, release, keyStore: world.keyStore, keyId: 'owner' });
  for (const approver of ['alice', 'bob'])
    await approveRelease({ dir: directory, approver, keyStore: world.keyStore, keyId: approver, now: dawn });
  const texts = await readReleasePackage(directory);
  const digest = await releaseDigestOf(texts.bundle);
  return {
    directory,
    manifest: parseManifest(texts.manifest),
    package: texts,
    file: keys,
    digest,
    digestHex: toHex(digest),
    keysOf: ({ publicKey }) => keysFor(keys, publicKey),
  };
}
