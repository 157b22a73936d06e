import { basename, dirname, relative, resolve, sep } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { parseShardName, type ModelStatement } from '../release/statement.ts';
import { hashModel, type SerializeOptions } from './serialize.ts';

export interface VerifyModelOptions extends Pick<SerializeOptions, 'threads' | 'onProgress' | 'signal'> {
  /** The model: a folder, or a single file. */
  readonly root: string;
  /** From `verifyOmsBundle`. */
  readonly statement: ModelStatement;
  /** The signature file, which cannot cover itself; inside or outside the model. */
  readonly signaturePath?: string;
  /** Further paths inside the model that you know and do not want covered. */
  readonly ignorePaths?: readonly string[];
}

/** What was found to be as signed. */
export interface VerifiedModel {
  readonly files: number;
  /** Empty files that the method "shards" cannot cover: they hold nothing, but nobody signed that they exist. */
  readonly uncovered: readonly string[];
  /** Paths that were not looked at, because the signer or the caller left them out. */
  readonly ignored: readonly string[];
}

/**
 * Compares a model on disk with an authentic statement: every signed resource is there and unaltered, and nothing is
 * there that was not signed. There is no option to let unsigned files pass; name them in `ignorePaths`.
 * Errors: OMS_UNSIGNED_FILE, OMS_MISSING_FILE, OMS_DIGEST_MISMATCH and those of `serializeModel`.
 */
export async function verifyModel(options: VerifyModelOptions): Promise<VerifiedModel> {
  const { root, statement, signaturePath, ignorePaths = [], threads, onProgress, signal } = options;
  const { method, shardSize, allowSymlinks, ignorePaths: signedIgnores } = statement.serialization;
  const own = signaturePath === undefined ? undefined : insidePath(root, signaturePath);
  const ignored = [...new Set([...signedIgnores, ...ignorePaths, ...(own === undefined ? [] : [own])])];
  const found = await hashModel(root, {
    method,
    allowSymlinks,
    ignorePaths: ignored,
    ...(shardSize === undefined ? {} : { shardSize }),
    ...(threads === undefined ? {} : { threads }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  });
  const expected = new Map(statement.resources.map(({ name, digest }) => [name, digest]));
  const signedPaths = new Set(statement.resources.map(({ name }) => pathOf(name, method)));
  const uncovered: string[] = [];
  for (const { name, resources } of found.files) {
    if (resources.length === 0 && !signedPaths.has(name)) uncovered.push(name);
    else if (!signedPaths.has(name)) throw new FastnessError('OMS_UNSIGNED_FILE', name);
    for (const resource of resources) {
      // A signed file that is cut into other shards than were signed has grown or shrunk.
      if (expected.get(resource.name) !== resource.digest) throw new FastnessError('OMS_DIGEST_MISMATCH', name);
      expected.delete(resource.name);
    }
  }
  const [missing] = expected.keys();
  if (missing !== undefined) {
    const path = pathOf(missing, method);
    const isThere = found.files.some(({ name }) => name === path);
    throw new FastnessError(isThere ? 'OMS_DIGEST_MISMATCH' : 'OMS_MISSING_FILE', path);
  }
  return { files: signedPaths.size, uncovered, ignored };
}

function pathOf(name: string, method: 'files' | 'shards'): string {
  return method === 'files' ? name : parseShardName(name).path;
}

/** The signature's path inside the model; undefined when it lies elsewhere. */
function insidePath(root: string, path: string): string | undefined {
  const inside = relative(resolve(root), resolve(dirname(path), basename(path)));
  if (inside === '' || inside.startsWith('..')) return undefined;
  return inside.split(sep).join('/');
}
