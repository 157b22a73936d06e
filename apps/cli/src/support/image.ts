import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

export const repositoryRoot: string = fileURLToPath(new URL('../../../..', import.meta.url));

/** The enclave's entry point: the program that the measured image runs. */
export const enclaveMain: string = join(repositoryRoot, 'apps/enclave/src/main.ts');

/** What a package.json says of what can be loaded. */
const packageSchema = z.object({
  dependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});

/** What the simulated TEE measures, and what it leaves out below that. */
export interface EnclaveImage {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/**
 * Files and folders that make up the enclave's image: the Node that runs it, the enclave, and every package it
 * can load, ours and others', found by walking the dependencies the way Node resolves them. The links by which Node
 * reaches our own packages are part of it, so that they cannot be pointed elsewhere.
 */
export function enclaveImage(): EnclaveImage {
  const folders = new Set<string>();
  const links = new Set<string>();
  const visit = (folder: string): void => {
    if (folders.has(folder)) return;
    folders.add(folder);
    const facts = packageSchema.parse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
    for (const name of Object.keys({ ...facts.dependencies, ...facts.optionalDependencies })) {
      const found = resolvePackage(name, folder);
      // Optional packages for other platforms are not installed.
      if (found === undefined) continue;
      const real = realpathSync(found);
      if (real !== found) links.add(found);
      visit(real);
    }
  };
  visit(join(repositoryRoot, 'apps/enclave'));
  // Of our own packages only what runs counts: tests and build output would change the measurement for nothing.
  const own = [...folders].filter((folder) => !folder.includes('/node_modules/'));
  return {
    include: [realpathSync(process.execPath), ...folders, ...links].sort(),
    exclude: [
      ...foreignBinaries(),
      ...own.flatMap((folder) =>
        ['dist', 'test', 'tsconfig.json', 'tsconfig.tsbuildinfo'].map((name) => join(folder, name)),
      ),
    ],
  };
}

/** Hundreds of megabytes for other systems, which nothing here can load. */
function foreignBinaries(): string[] {
  const folders: string[] = [];
  const base = join(repositoryRoot, 'node_modules/onnxruntime-node/bin');
  for (const interfaceFolder of readdirSync(base)) {
    for (const platform of readdirSync(join(base, interfaceFolder))) {
      for (const architecture of readdirSync(join(base, interfaceFolder, platform))) {
        if (platform === process.platform && architecture === process.arch) continue;
        folders.push(join(base, interfaceFolder, platform, architecture));
      }
    }
  }
  return folders;
}

function resolvePackage(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}
