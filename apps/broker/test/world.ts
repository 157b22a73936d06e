import { createHash, randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustAnchors } from '@fastness/attest';
import { toBase64Url, toHex } from '@fastness/codec/bytes';
import { createSoftwareKeyStore, type KeyStore } from '@fastness/keys';
import { approveRelease, readReleasePackage, rootKeyContext, sealModel, signRelease } from '@fastness/model';
import { parseManifest } from '@fastness/model';
import { releaseDigestOf, type Release, type ReleasePackage } from '@fastness/model/release';
import { wrappedKeyFromJson } from '@fastness/keys';
import { forgeAmdChain, type ForgedAmdChain } from '@fastness/testkit';
import { modelKeysSchema, startBroker, type Broker, type BrokerOptions, type BrokerPolicy } from '../src/index.ts';
import { brokerDatabase, freshDatabase } from './databases.ts';
import { freshPath } from './fresh-path.ts';

/** The time at which everything in these tests begins. */
export const dawn = new Date('2026-11-23T12:00:00.000Z');
export const passphrase = new TextEncoder().encode('a passphrase for tests only');
export const adminToken = randomBytes(32).toString('base64url');
export const measurement = 'a1'.repeat(48);
export const simulatedMeasurement = '51'.repeat(48);

/** A release as its owner has it: the package, keys.json, and for the tests the root key in clear. */
export interface TestRelease {
  readonly directory: string;
  readonly package: ReleasePackage;
  readonly keys: unknown;
  readonly digest: Uint8Array;
  readonly digestHex: string;
  readonly root: Uint8Array;
}

/** Owners, approvers, keys, a forged vendor and a clock: everything around a broker. */
export interface World {
  readonly directory: string;
  readonly keyStore: KeyStore;
  readonly keyStorePath: string;
  readonly chain: ForgedAmdChain;
  readonly simulated: ForgedAmdChain;
  readonly anchors: TrustAnchors;
  readonly policy: BrokerPolicy;
  readonly brokerKey: Uint8Array;
  /** Set it to move time. */
  readonly clock: { now: Date };
  release(
    changes?: Partial<Release>,
    seal?: { modelId?: string; approvers?: string[]; kekId?: string },
  ): Promise<TestRelease>;
  /** `token: false`: without the administrators' bearer token. */
  start(changes?: Partial<BrokerOptions>, options?: { readonly token?: boolean }): Promise<Broker>;
}

export async function createWorld(directory: string): Promise<World> {
  const keyStorePath = freshPath(directory, 'keys');
  const cost = { memory: 19_456, passes: 2, parallelism: 1 };
  const keyStore = await createSoftwareKeyStore({ path: keyStorePath, passphrase, cost });
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  for (const id of ['owner', 'stranger']) await keyStore.create({ id, purpose: 'sign', algorithm: 'P-384' });
  for (const id of ['alice', 'bob', 'carol']) await keyStore.create({ id, purpose: 'sign', algorithm: 'Ed25519' });
  for (const id of ['broker', 'other-broker']) await keyStore.create({ id, purpose: 'sign', algorithm: 'Ed25519' });
  const spki = async (id: string): Promise<string> => toBase64Url(await keyStore.publicKey(id));

  const chain = await forgeAmdChain({ product: 'Genoa', kind: 'vcek', now: dawn });
  const simulated = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now: dawn, organization: 'SIMULATED' });
  const source = 'forged for this test';
  const anchors: TrustAnchors = {
    snp: [{ name: 'ARK-Genoa', product: 'Genoa', spkiSha256: chain.arkSpkiSha256, certificateSha256: '', source }],
  };
  const approvers = await Promise.all(['alice', 'bob', 'carol'].map(async (id) => ({ id, publicKey: await spki(id) })));
  const policy: BrokerPolicy = {
    version: 1,
    id: 'test-policy',
    ownerKeys: [await spki('owner')],
    quorum: { threshold: 2, approvers },
    attestation: {
      version: 1,
      id: 'test-attestation',
      snp: {
        products: ['Milan', 'Genoa'],
        signingKeys: ['vcek'],
        vmpl: [0],
        measurements: 'from-release',
        minimumTcb: {},
        smt: 'allow',
      },
      simulated: { arkSpkiSha256: simulated.arkSpkiSha256 },
      waivers: [],
    },
    lease: { ttlSeconds: 600, renewSuperseded: false },
  };
  const clock = { now: dawn };
  const brokerKey = await keyStore.publicKey('broker');
  const sealed = new Map<string, string>();

  return {
    directory,
    keyStore,
    keyStorePath,
    chain,
    simulated,
    anchors,
    policy,
    brokerKey,
    clock,
    async release(changes = {}, { modelId = 'tiny', approvers: signers = ['alice', 'bob'], kekId = 'kek' } = {}) {
      const sealedAs = `${modelId}/${kekId}`;
      let template = sealed.get(sealedAs);
      if (template === undefined) {
        const target = freshPath(directory, 'sealed');
        template = target;
        await sealModel({
          source: tinyModel(directory),
          target,
          modelId,
          engine: 'llama',
          task: 'generate',
          keyStore,
          kekId,
        });
        sealed.set(sealedAs, target);
      }
      const target = freshPath(directory, 'release');
      cpSync(template, target, { recursive: true });
      const release: Release = {
        format: 'fastness/release/v1',
        modelId,
        version: 1,
        notBefore: '2026-11-01T00:00:00Z',
        expires: '2026-12-24T00:00:00Z',
        measurements: [
          { tee: 'sev-snp', simulated: false, value: measurement },
          { tee: 'sev-snp', simulated: true, value: simulatedMeasurement },
        ],
        brokerKey: toBase64Url(brokerKey),
        ...changes,
      };
      await signRelease({ dir: target, release, keyStore, keyId: 'owner' });
      for (const approver of signers)
        await approveRelease({ dir: target, approver, keyStore, keyId: approver, now: dawn });
      const releasePackage = await readReleasePackage(target);
      const keys: unknown = JSON.parse(readFileSync(join(target, 'keys.json'), 'utf8'));
      const digest = await releaseDigestOf(releasePackage.bundle);
      const wrapped = wrappedKeyFromJson(modelKeysSchema.parse(keys).root);
      const root = await keyStore.unwrap(wrapped, rootKeyContext(parseManifest(releasePackage.manifest)));
      return { directory: target, package: releasePackage, keys, digest, digestHex: toHex(digest), root };
    },
    async start(changes = {}, { token = true } = {}) {
      return await startBroker({
        listen: { host: '127.0.0.1', port: 0 },
        ...(changes.databasePath === undefined && changes.database === undefined
          ? brokerDatabase(await freshDatabase(directory))
          : {}),
        auditPath: freshPath(directory, 'audit.log'),
        keyStore,
        signer: { keyStore, keyId: 'broker' },
        policy,
        ...(token ? { adminTokenSha256: sha256(adminToken) } : {}),
        anchors,
        now: () => clock.now,
        ...changes,
      });
    },
  };
}

/** A key store that does what another does, except where it is told otherwise: a broken one, or one that takes its time. */
export function keyStoreWith(keyStore: KeyStore, changes: Partial<KeyStore>): KeyStore {
  return {
    kind: keyStore.kind,
    hardware: keyStore.hardware,
    description: keyStore.description,
    list: () => keyStore.list(),
    create: (spec) => keyStore.create(spec),
    publicKey: (id) => keyStore.publicKey(id),
    wrap: (id, plaintext, context) => keyStore.wrap(id, plaintext, context),
    unwrap: (wrapped, context) => keyStore.unwrap(wrapped, context),
    sign: (id, message) => keyStore.sign(id, message),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...changes,
  };
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The smallest file that is a model by its format: a GGUF header without tensors and metadata. */
export function tinyModel(directory: string): string {
  const source = freshPath(directory, 'model');
  mkdirSync(source);
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(0, 0x46554747, true);
  header.setUint32(4, 3, true);
  writeFileSync(join(source, 'model.gguf'), new Uint8Array(header.buffer));
  return source;
}
