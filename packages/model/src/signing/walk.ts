import { lstat, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { checkResourceName, compareResourcePaths } from '../release/resource-name.ts';
import { asOmsError } from './io-error.ts';

/** Left out of every model signature, as OMS prescribes: they belong to the repository, not to the model. */
export const repositoryPaths = Object.freeze(['.git', '.gitattributes', '.github', '.gitignore']);

/** Files that one model may have. */
const maxFiles = 100_000;

export interface ModelFile {
  /** Path inside the model with "/"; "." when the model is a single file. */
  readonly name: string;
  /** Where it is. */
  readonly path: string;
}

/**
 * Every file of a model, in the order of OMS. `ignorePaths` are paths inside the model; each is left out with all
 * below it. Links to files are followed where `allowSymlinks` says so; links to folders are refused always, because
 * the reference tool passes over them in silence and what they hold would go unsigned.
 * Errors: OMS_SYMLINK, OMS_SPECIAL_FILE, OMS_RESOURCE_NAME, OMS_LIMIT, OMS_IO.
 */
export async function listModelFiles(
  root: string,
  options: { readonly ignorePaths: readonly string[]; readonly allowSymlinks: boolean },
): Promise<ModelFile[]> {
  try {
    const kind = await kindOf(root, '.', options.allowSymlinks);
    if (kind === 'file') return [{ name: '.', path: root }];
    const files: ModelFile[] = [];
    await walk(root, '', { ...options, ignored: new Set(options.ignorePaths) }, files);
    return files.sort((left, right) => compareResourcePaths(left.name, right.name));
  } catch (error) {
    throw asOmsError(error);
  }
}

interface WalkOptions {
  readonly ignored: ReadonlySet<string>;
  readonly allowSymlinks: boolean;
}

async function walk(folder: string, prefix: string, options: WalkOptions, files: ModelFile[]): Promise<void> {
  for (const entry of await readdir(folder)) {
    const name = `${prefix}${entry}`;
    if (options.ignored.has(name)) continue;
    checkResourceName(name);
    const path = join(folder, entry);
    if ((await kindOf(path, name, options.allowSymlinks)) === 'folder') {
      await walk(path, `${name}/`, options, files);
    } else {
      files.push({ name, path });
      if (files.length > maxFiles) throw new FastnessError('OMS_LIMIT', `It has more than ${maxFiles} files.`);
    }
  }
}

async function kindOf(path: string, name: string, allowSymlinks: boolean): Promise<'file' | 'folder'> {
  const own = await lstat(path);
  if (!own.isSymbolicLink()) {
    if (own.isFile()) return 'file';
    if (own.isDirectory()) return 'folder';
    throw new FastnessError('OMS_SPECIAL_FILE', name);
  }
  if (!allowSymlinks) throw new FastnessError('OMS_SYMLINK', name);
  const target = await stat(path);
  if (target.isDirectory()) throw new FastnessError('OMS_SYMLINK', `${name} leads to a folder.`);
  if (!target.isFile()) throw new FastnessError('OMS_SPECIAL_FILE', name);
  return 'file';
}
