import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';

/** One entry of an image, before its content is read. */
export interface ImageEntry {
  /** Absolute path. */
  readonly path: string;
  /** Path that is measured: relative to the root with `/` between parts, or absolute when outside the root. */
  readonly name: string;
  /** Text of a symbolic link; absent for a file. */
  readonly target?: string;
  /** Bytes of a file when it was listed. */
  readonly size: number;
}

const MAX_ENTRIES = 200_000;

/**
 * Lists the files and symbolic links below `paths`. A link is recorded as the text it holds, so what it leads to must be
 * listed too: otherwise the measurement would not cover what is loaded through it. Empty folders leave no trace.
 * @throws TESTKIT_IMAGE_MISSING, TESTKIT_IMAGE_KIND, TESTKIT_IMAGE_LINK, TESTKIT_IMAGE_LIMIT
 */
export async function listImage(options: {
  readonly paths: readonly string[];
  readonly root: string;
  readonly exclude: readonly string[];
}): Promise<ImageEntry[]> {
  const root = await canonical(resolve(options.root));
  const excluded = new Set(await Promise.all(options.exclude.map(async (path) => canonical(resolve(root, path)))));
  const entries = new Map<string, ImageEntry>();
  const folders = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    if (excluded.has(path) || entries.has(path) || folders.has(path)) return;
    const facts = await lstat(path).catch((cause: unknown) => {
      throw new FastnessError('TESTKIT_IMAGE_MISSING', path, { cause });
    });
    if (facts.isDirectory()) {
      folders.add(path);
      for (const name of await readdir(path)) await visit(join(path, name));
      return;
    }
    if (!facts.isFile() && !facts.isSymbolicLink()) throw new FastnessError('TESTKIT_IMAGE_KIND', path);
    if (entries.size >= MAX_ENTRIES) throw new FastnessError('TESTKIT_IMAGE_LIMIT', `More than ${MAX_ENTRIES} files.`);
    const entry = { path, name: nameOf(path, root), size: facts.isFile() ? facts.size : 0 };
    entries.set(path, facts.isFile() ? entry : { ...entry, target: await readlink(path) });
  };
  for (const path of options.paths) await visit(await canonical(resolve(root, path)));
  for (const { path, target } of entries.values()) {
    if (target !== undefined) await checkLink(path, (found) => entries.has(found) || folders.has(found));
  }
  return [...entries.values()];
}

/** The path with the links in its folders resolved, but not a link that it may be itself. */
async function canonical(path: string): Promise<string> {
  const folder = await realpath(dirname(path)).catch((cause: unknown) => {
    throw new FastnessError('TESTKIT_IMAGE_MISSING', path, { cause });
  });
  return join(folder, basename(path));
}

async function checkLink(path: string, measured: (path: string) => boolean): Promise<void> {
  const target = await realpath(path).catch((cause: unknown) => {
    throw new FastnessError('TESTKIT_IMAGE_LINK', path, { cause });
  });
  if (!measured(target)) throw new FastnessError('TESTKIT_IMAGE_LINK', `${path} leads to ${target}.`);
}

function nameOf(path: string, root: string): string {
  const name = relative(root, path);
  return name.startsWith(`..${sep}`) ? path : name.split(sep).join('/');
}
