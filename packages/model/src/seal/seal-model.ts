import { randomBytes, randomFillSync } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { sep } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore, WrappedKey } from '@fastness/keys';
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
import { createThreadPool } from '../threads/pool.ts';
import { rootKeyContext, rootKeyLength, type SealIdentity } from './derive.ts';
import { encodeKeysFile } from './keys-file.ts';
import { sealFiles } from './seal-files.ts';
import { listSource, type SourceModel } from './source.ts';
import { createStaging, moveIntoPlace, recoverTarget, targetOf, type Target } from './staging.ts';
import { checkReplaceable } from './target-state.ts';
import { syncFolders, writeNewFile } from './write.ts';

export interface SealModelOptions {
  /** The model: a file, or a folder of files. */
  readonly source: string;
  /** The sealed model to make, in a folder that exists. */
  readonly target: string;
  /** See `modelIdPattern`. */
  readonly modelId: string;
  /** As `detectModel` found them. */
  readonly engine: ModelEngine;
  readonly task: ModelTask;
  /** Wraps the root key, under the wrapping key `kekId`. */
  readonly keyStore: KeyStore;
  readonly kekId: string;
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

/**
 * Encrypts a model into a new folder: files/**.floe, keys.json with the wrapped root key, manifest.json. The target
 * appears whole or not at all, also when the process is killed; no plaintext is ever written. Returns the manifest.
 * Errors: SEAL_* and those of the key store.
 */
export async function sealModel(options: SealModelOptions): Promise<Manifest> {
  const { modelId, segmentSize = defaultSegmentSize } = options;
  if (!modelIdPattern.test(modelId)) throw new FastnessError('SEAL_MODEL_ID');
  const source = await listSource(options.source);
  const target = await targetOf(options.target);
  checkApart(source, target);
  await recoverTarget(target);
  const replace = await checkReplaceable(target, options.replace ?? false);
  checkCancelled(options.signal);

  const identity = { modelId, sealId: randomBytes(8).toString('hex') };
  const manifest = planManifest(options, identity, source, segmentSize);
  const root = randomFillSync(new Uint8Array(rootKeyLength));
  try {
    // Before hours of work: a key store that refuses should refuse now.
    const wrapped = await options.keyStore.wrap(options.kekId, root, rootKeyContext(identity));
    const staging = await createStaging(target);
    try {
      await fill(staging, { root, wrapped, manifest, source, options });
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
  readonly wrapped: WrappedKey;
  readonly manifest: Manifest;
  readonly source: SourceModel;
  readonly options: SealModelOptions;
}

async function fill(staging: string, { root, wrapped, manifest, source, options }: Filling): Promise<void> {
  await using pool = createThreadPool(options.threads);
  const { signal, onProgress } = options;
  await sealFiles({ staging, root, manifest, source, pool, signal, onProgress });
  await writeNewFile(staging, 'keys.json', encodeKeysFile(wrapped));
  await writeNewFile(staging, 'manifest.json', encodeManifest(manifest));
  await syncFolders(staging);
}

function planManifest(
  { engine, task }: SealModelOptions,
  identity: SealIdentity,
  source: SourceModel,
  segmentSize: number,
): Manifest {
  const manifest: Manifest = {
    format: 'fastness/manifest/v1',
    modelId: identity.modelId,
    engine,
    task,
    sealId: identity.sealId,
    files: source.files.map(({ path, size }) => ({
      path,
      size,
      sealedSize: geometryOf(size, segmentSize).sealedSize,
      sealedPath: sealedPathOf(path),
      floe: { segmentSize },
    })),
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
