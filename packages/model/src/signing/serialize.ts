import { basename, resolve } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { checkResourceName } from '../release/resource-name.ts';
import type { ModelStatement, Resource, Serialization } from '../release/statement.ts';
import { hashFiles, type FileHash } from './hash-files.ts';
import { listModelFiles, repositoryPaths } from './walk.ts';

/** Shard size of the reference tool, bytes. */
export const defaultShardSize = 1_000_000_000;

export interface SerializeOptions {
  /** "files": one digest a file. "shards": one for every `shardSize` bytes of each file. Default "files". */
  readonly method?: 'files' | 'shards';
  /** Bytes; default 1,000,000,000. Only with "shards". */
  readonly shardSize?: number;
  /**
   * Paths inside the model to leave out, each with everything below it; they are written into the statement.
   * .git, .gitattributes, .github and .gitignore are always left out.
   */
  readonly ignorePaths?: readonly string[];
  /** Follow links to files. Default false: a link is refused. */
  readonly allowSymlinks?: boolean;
  /** Threads that hash, 1 to 64, the calling one included; default: one for each processor, at most 4. */
  readonly threads?: number;
  /** Bytes hashed so far; called at most every 50 ms, and at the end. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

/** What a statement is made from. */
export type SerializedModel = Omit<ModelStatement, 'rootDigest'>;

/**
 * Turns a model on disk (a folder, or a single file) into the resources of an OMS statement, in its order.
 * Errors: OMS_RESOURCE_NAME, OMS_SERIALIZATION_UNSUPPORTED, OMS_SYMLINK, OMS_SPECIAL_FILE, OMS_FILE_CHANGED,
 * OMS_LIMIT, OMS_IO, SEAL_THREADS, SEAL_CANCELLED, SEAL_IO, SEAL_WORKER.
 */
export async function serializeModel(root: string, options: SerializeOptions = {}): Promise<SerializedModel> {
  const { modelName, serialization, files } = await hashModel(root, options);
  return { modelName, serialization, resources: files.flatMap(({ resources }) => resources) };
}

export interface HashedModel {
  readonly modelName: string;
  readonly serialization: Serialization;
  /** Every file, also those that have no resource: OMS has no shard for an empty file. */
  readonly files: readonly { readonly name: string; readonly resources: readonly Resource[] }[];
}

/** `serializeModel`, file by file. */
export async function hashModel(root: string, options: SerializeOptions): Promise<HashedModel> {
  const { method = 'files', ignorePaths = [], allowSymlinks = false } = options;
  const shardSize = shardSizeOf(method, options.shardSize);
  for (const path of ignorePaths) checkResourceName(path);
  const files = await listModelFiles(root, { ignorePaths: [...ignorePaths, ...repositoryPaths], allowSymlinks });
  if (method === 'shards' && files.some(({ name }) => name.includes(':'))) {
    throw new FastnessError('OMS_RESOURCE_NAME', 'A colon separates the ends of a shard.');
  }
  const { threads, signal, onProgress } = options;
  const hashes = await hashFiles(files, { shardSize, allowSymlinks, threads, signal, onProgress });
  return {
    modelName: basename(resolve(root)),
    serialization: {
      method,
      hashType: 'sha256',
      allowSymlinks,
      ...(shardSize === undefined ? {} : { shardSize }),
      ignorePaths,
    },
    files: files.map(({ name }, index) => ({ name, resources: toResources(name, hashes[index] ?? [], shardSize) })),
  };
}

function shardSizeOf(method: 'files' | 'shards', shardSize: number | undefined): number | undefined {
  if (method === 'files') {
    if (shardSize === undefined) return undefined;
    throw new FastnessError('OMS_SERIALIZATION_UNSUPPORTED', 'A shard size belongs to the method "shards".');
  }
  const size = shardSize ?? defaultShardSize;
  if (Number.isSafeInteger(size) && size > 0) return size;
  throw new FastnessError('OMS_SERIALIZATION_UNSUPPORTED', `A shard cannot have ${size} bytes.`);
}

function toResources(file: string, hashes: readonly FileHash[], shardSize: number | undefined): Resource[] {
  return hashes.map(({ start, end, digest }) => ({
    name: shardSize === undefined ? file : `${file}:${start}:${end}`,
    digest,
  }));
}
