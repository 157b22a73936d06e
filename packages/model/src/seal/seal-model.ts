import { randomBytes, randomFillSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { sep } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { defaultSegmentSize } from '../floe/parameters.ts';
import { geometryOf } from '../floe/geometry.ts';
import {
  modelIdPattern,
  parseManifest,
  sealedPathOf,
  type Manifest,
  type ModelEngine,
  type ModelTask,
} from '../manifest.ts';
import { checkSharing, splitRoot } from '../shares/split.ts';
import { shareContext } from '../shares/commit.ts';
import { createThreadPool } from '../threads/pool.ts';
import { rootKeyContext, rootKeyLength, type SealIdentity } from './derive.ts';
import { encodeKeysFile, type ModelKeys, type SealedShare, type ShareRecipient } from './keys-file.ts';
import { sealFiles } from './seal-files.ts';
import { listSource, type SourceModel } from './source.ts';
import { createStaging, moveIntoPlace, recoverTarget, targetOf, type Target } from './staging.ts';
import { checkReplaceable } from './target-state.ts';
import { syncFolders, writeNewFile } from './write.ts';

/** What sealing needs whoever keeps the key. */
interface SealSourceOptions {
  /** The model: a file, or a folder of files. */
  readonly source: string;
  /** The sealed model to make, in a folder that exists. */
  readonly target: string;
  /** See `modelIdPattern`. */
  readonly modelId: string;
  /** As `detectModel` found them. */
  readonly engine: ModelEngine;
  readonly task: ModelTask;
  /** 1 to 64, the calling thread included; default: one for each processor, at most 4. */
  readonly threads?: number;
  /** Bytes of a sealed segment; default 1 MiB. */
  readonly segmentSize?: number;
  /**
   * Replace a sealed model at the target even when it holds a signed release. Default false: only one that was never
   * signed is replaced.
   */
  readonly replace?: boolean;
  /** Bytes of plaintext sealed and to seal; at most every 50 ms, and at the end. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

export interface SealModelOptions extends SealSourceOptions {
  /** Wraps the root key, under the wrapping key `kekId`. */
  readonly keyStore: KeyStore;
  readonly kekId: string;
}

/** One of the brokers that a key is shared between. */
export interface ShareHolder {
  readonly recipient: ShareRecipient;
  /** Seals a share so that this broker alone can open it, bound to `context`. Does not keep the share. */
  seal(share: Uint8Array, context: Uint8Array): Promise<SealedShare>;
}

export interface SealSharedModelOptions extends SealSourceOptions {
  /** Share number N goes to the Nth. */
  readonly holders: readonly ShareHolder[];
  /** Shares that open the model. */
  readonly threshold: number;
}

/**
 * Encrypts a model into a new folder: files/**.floe, keys.json with the wrapped root key, manifest.json. The target
 * appears whole or not at all, also when the process is killed; no plaintext is ever written. Returns the manifest.
 * Errors: SEAL_* and those of the key store.
 */
export async function sealModel(options: SealModelOptions): Promise<Manifest> {
  return sealWith(options, async (root, identity) => ({
    keys: { kind: 'root', root: await options.keyStore.wrap(options.kekId, root, rootKeyContext(identity)) },
  }));
}

/**
 * As `sealModel`, with the root key in shares: any `threshold` of the holders open the model, and fewer learn nothing of its
 * key. keys.json has each share sealed to its holder, manifest.json a digest of each.
 * Errors: SEAL_*, KEY_SHARES_THRESHOLD (also for two holders with one key), those of the holders.
 */
export async function sealSharedModel(options: SealSharedModelOptions): Promise<Manifest> {
  const { holders, threshold } = options;
  checkSharing({ threshold, count: holders.length });
  if (new Set(holders.map(({ recipient }) => recipient.brokerKey)).size !== holders.length) {
    throw new FastnessError('KEY_SHARES_THRESHOLD', 'Two shares would go to the same broker.');
  }
  return sealWith(options, async (root, identity) => {
    const { set, shares } = await splitRoot(root, identity, { threshold, count: holders.length });
    try {
      const sealed = await Promise.all(
        holders.map(async (holder, at) => {
          const context = shareContext({ ...identity, keyShares: set }, at + 1);
          const share = shares[at] ?? new Uint8Array();
          return { index: at + 1, recipient: holder.recipient, sealed: await holder.seal(share, context) };
        }),
      );
      return { keys: { kind: 'shares', setId: set.setId, shares: sealed }, keyShares: set };
    } finally {
      for (const share of shares) share.fill(0);
    }
  });
}

/** The root key as it may be kept: in keys.json, and what of that the manifest says. */
type Protected = { readonly keys: ModelKeys } & Pick<Manifest, 'keyShares'>;

async function sealWith(
  options: SealSourceOptions,
  protect: (root: Uint8Array, identity: SealIdentity) => Promise<Protected>,
): Promise<Manifest> {
  const { modelId, segmentSize = defaultSegmentSize } = options;
  if (!modelIdPattern.test(modelId)) throw new FastnessError('SEAL_MODEL_ID');
  const source = await listSource(options.source);
  const target = await targetOf(options.target);
  checkApart(source, target);
  await recoverTarget(target);
  const replace = await checkReplaceable(target, options.replace ?? false);
  checkCancelled(options.signal);

  const identity = { modelId, sealId: randomBytes(8).toString('hex') };
  const root = randomFillSync(new Uint8Array(rootKeyLength));
  try {
    // Before hours of work: a key store that refuses should refuse now.
    const { keys, ...shared } = await protect(root, identity);
    const manifest = planManifest(options, { ...identity, ...shared }, source, segmentSize);
    const staging = await createStaging(target);
    try {
      await fill(staging, { root, keys, manifest, source, options });
      checkCancelled(options.signal);
      await moveIntoPlace(staging, target, replace);
    } catch (error) {
      await rm(staging, { recursive: true, force: true });
      throw error;
    }
    return manifest;
  } finally {
    root.fill(0);
  }
}

interface Filling {
  readonly root: Uint8Array;
  readonly keys: ModelKeys;
  readonly manifest: Manifest;
  readonly source: SourceModel;
  readonly options: SealSourceOptions;
}

async function fill(staging: string, { root, keys, manifest, source, options }: Filling): Promise<void> {
  await using pool = createThreadPool(options.threads);
  const { signal, onProgress } = options;
  await sealFiles({ staging, root, manifest, source, pool, signal, onProgress });
  await writeNewFile(staging, 'keys.json', encodeKeysFile(keys));
  await writeNewFile(staging, 'manifest.json', encodeManifest(manifest));
  await syncFolders(staging);
}

function planManifest(
  { engine, task }: SealSourceOptions,
  { modelId, sealId, keyShares }: SealIdentity & Pick<Manifest, 'keyShares'>,
  source: SourceModel,
  segmentSize: number,
): Manifest {
  const manifest: Manifest = {
    format: 'fastness/manifest/v1',
    modelId,
    engine,
    task,
    sealId,
    files: source.files.map(({ path, size }) => ({
      path,
      size,
      sealedSize: geometryOf(size, segmentSize).sealedSize,
      sealedPath: sealedPathOf(path),
      floe: { segmentSize },
    })),
    ...(keyShares === undefined ? {} : { keyShares }),
    createdAt: new Date().toISOString(),
  };
  // What is written must be what will be read.
  return parseManifest(encodeManifest(manifest));
}

function encodeManifest(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** A target inside its source would be sealed with it; a source inside its target would be deleted by a replacement. */
function checkApart({ root }: SourceModel, { path }: Target): void {
  const within = (outer: string, inner: string): boolean => inner === outer || inner.startsWith(`${outer}${sep}`);
  if (within(root, path) || within(path, root)) {
    throw new FastnessError('SEAL_TARGET_INVALID', 'Source and target lie within each other.');
  }
}

function checkCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new FastnessError('SEAL_CANCELLED', undefined, { cause: signal.reason });
}
