import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { z } from 'zod';

const exportsSchema = z.object({
  exports: z.record(z.string(), z.union([z.string(), z.looseObject({ source: z.string().optional() })])).optional(),
});

/** `import` and `export ... from` that leave something at run time, and `import()`. */
const importPattern =
  /(?:^|\n)\s*(?:import|export)\s+(?!type\b)(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** One file of the graph: its path, its text without comments, what it imports. */
export interface SourceFile {
  readonly file: string;
  readonly text: string;
  readonly imports: readonly string[];
}

/** Every file of Fastness that `entry` loads, across its packages; other packages are named and not followed. */
export function importGraph(entry: string): SourceFile[] {
  const files = new Map<string, SourceFile>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
    const imports = [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '');
    files.set(file, { file, text, imports });
    for (const name of imports) {
      const next = name.startsWith('.') ? path.resolve(path.dirname(file), name) : sourceOf(name, file);
      if (next !== undefined) visit(next);
    }
  };
  visit(entry);
  return [...files.values()];
}

/** The source file behind `@fastness/package/subpath`; undefined for any other package. */
function sourceOf(name: string, from: string): string | undefined {
  if (!name.startsWith('@fastness/')) return undefined;
  const [scope, packageName, ...rest] = name.split('/');
  const folder = path.join(packagesFolder(from), packageName ?? '');
  const manifest = exportsSchema.parse(createRequire(from)(path.join(folder, 'package.json')));
  const subpath = rest.length === 0 ? '.' : `./${rest.join('/')}`;
  const parent = `${path.posix.dirname(subpath)}/*`.replace(/^(?!\.\/)/, './');
  const target = manifest.exports?.[subpath] ?? manifest.exports?.[parent];
  const source = typeof target === 'string' ? target : target?.source;
  if (source === undefined) throw new Error(`${scope}/${packageName} does not export ${name}`);
  return path.join(folder, source.replace('*', path.posix.basename(subpath)));
}

function packagesFolder(from: string): string {
  return `${from.slice(0, from.lastIndexOf('/packages/'))}/packages`;
}

/** What in a file would not run in a browser. */
export function browserFaults({ file, text, imports }: SourceFile): string[] {
  const faults = imports.filter((name) => name.startsWith('node:')).map((name) => `${file} imports ${name}`);
  if (/(?<![\w$.])require\(\s*['"]/.test(text)) faults.push(`${file} uses require`);
  for (const name of ['Buffer', 'process', '__dirname', '__filename', 'setImmediate']) {
    if (new RegExp(String.raw`(?<![\w$.'"-])${name}\b(?=[.(\[])`).test(text)) faults.push(`${file} uses ${name}`);
  }
  return faults;
}
