import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A file of a package, and where it goes below node_modules. */
export interface PackageFile {
  readonly path: string;
  readonly source: string;
}

/**
 * What downloads, compiles or asks a terminal has no place in an image. Its importers get a module in its place that has the
 * names they ask for and fails when one is called.
 */
export const absentPackages: Readonly<Record<string, readonly string[]>> = Object.freeze({
  ipull: ['downloadFile', 'downloadSequence', 'DownloadStatus'],
  'simple-git': ['simpleGit'],
  'cross-spawn': ['default'],
  'cmake-js': [],
  yargs: [],
  'validate-npm-package-name': [],
  'node-addon-api': [],
  ignore: [],
});

/** Parts of packages that nothing loads at run time. */
const leftOut =
  /(?:\.d\.[cm]?ts|\.map|\.md|\.markdown|\.tsbuildinfo|\.bundle)$|(?:^|\/)(?:LICENSE|LICENCE|CHANGELOG|test|tests|templates|cli\/commands|addon|cmake|grammars|patches|profiles|toolchains|xpack|src|\.github)(?:\/|$)/i;

/** Every file of a package and of what it depends on, but for {@link absentPackages}; and how many packages that are. */
export function packagesOf(
  root: string,
  names: readonly string[],
): { readonly files: readonly PackageFile[]; readonly packages: readonly string[] } {
  const files = new Map<string, PackageFile>();
  const seen = new Map<string, string>();
  const visit = (name: string, from: string, optional: boolean): void => {
    if (Object.hasOwn(absentPackages, name)) return;
    const folder = find(name, from, root);
    if (folder === undefined) {
      if (optional) return;
      throw new Error(`${name}, which ${from} needs, is not installed.`);
    }
    if (seen.has(folder)) return;
    const manifest = readJson(join(folder, 'package.json')) as Manifest;
    if (!fits(manifest)) return;
    seen.set(folder, `${manifest.name}@${manifest.version}`);
    const below = folder.slice(join(root, 'node_modules').length + 1);
    for (const path of filesBelow(folder)) {
      if (path !== 'package.json' && leftOut.test(keep(name, path))) continue;
      files.set(`${below}/${path}`, { path: `${below}/${path}`, source: join(folder, path) });
    }
    for (const each of Object.keys(manifest.dependencies ?? {}).sort()) visit(each, folder, false);
    for (const each of Object.keys(manifest.optionalDependencies ?? {}).sort()) visit(each, folder, true);
  };
  for (const name of names) visit(name, root, false);
  return { files: [...files.values()], packages: [...seen.values()].sort() };
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** koffi keeps its program in src/. */
function keep(name: string, path: string): string {
  return name === 'koffi' ? path.replaceAll('src/', '') : path;
}

/** Some packages of other processors claim this one as well, so their name counts too. */
function fits({ name, os, cpu }: Manifest): boolean {
  const target = /^@node-llama-cpp\/(.+)$/.exec(name)?.[1];
  if (target !== undefined && target !== `linux-${process.arch}`) return false;
  return name !== 'empty-npm-package' && (os?.includes('linux') ?? true) && (cpu?.includes(process.arch) ?? true);
}

/** As Node resolves: in the node_modules of the importer, and of each folder above it. */
function find(name: string, from: string, root: string): string | undefined {
  for (let folder = from; folder.length >= root.length; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (statSync(join(candidate, 'package.json'), { throwIfNoEntry: false }) !== undefined) {
      return realpathSync(candidate);
    }
  }
  return undefined;
}

function filesBelow(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name === 'node_modules') return [];
    if (entry.isDirectory()) return filesBelow(folder, path);
    return entry.isFile() ? [path] : [];
  });
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}
