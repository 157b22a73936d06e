import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { isErrorCode } from '@fastness/codec/errors';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';

const folder = fileURLToPath(new URL('../', import.meta.url));
const packages = fileURLToPath(new URL('../../', import.meta.url));
const { exports } = z
  .object({ exports: z.record(z.string(), z.object({ source: z.string() })) })
  .parse(JSON.parse(readFileSync(`${folder}package.json`, 'utf8')));

/** Formats that are built on others, and the folders that several share. */
const builtOn: Readonly<Record<string, readonly string[]>> = {
  tdx: ['dcap'],
  sgx: ['dcap'],
  'arm-psa': ['arm'],
  'arm-cca': ['arm'],
  'gcp-vtpm': ['tpm'],
  'azure-vtpm': ['tpm', 'snp', 'tdx', 'dcap'],
  'azure-maa': ['token'],
  'intel-trust-authority': ['token'],
  'gcp-confidential-space': ['token'],
  'nvidia-nras': ['token'],
};

/** Tables of error codes of each folder, where they are not named like it. */
const areasOf: Readonly<Record<string, readonly string[]>> = {
  dcap: ['dcap-quote', 'dcap-collateral'],
  snp: ['snp-authenticity', 'snp-appraisal'],
  nvidia: ['nvidia-report', 'nvidia-endorsements', 'nvidia-appraisal'],
  'android-key': ['android', 'jws'],
  arm: ['corim'],
  token: ['token', 'jws'],
  tpm: ['tpm', 'tpm-ak', 'event-log'],
  tdx: ['tdx', 'event-log'],
};

type Bundle = Awaited<ReturnType<typeof build>>;
const built = new Map<string, Promise<Bundle>>();

/** What a browser would load for one export, minified: its bytes and the modules that are in it. Made once. */
async function bundle(entry: string): Promise<Bundle> {
  const made = built.get(entry) ?? build(entry);
  built.set(entry, made);
  return made;
}

async function build(entry: string) {
  const bundled = await rolldown({
    input: `${folder}${entry}`,
    platform: 'browser',
    resolve: { conditionNames: ['source', 'browser', 'import'] },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await bundled.generate({ format: 'esm', minify: true });
  await bundled.close();
  const chunks = output.flatMap((part) => (part.type === 'chunk' ? [part] : []));
  const modules = chunks.flatMap((chunk) =>
    Object.entries(chunk.modules).flatMap(([path, { code }]) =>
      code === null ? [] : [{ path: relative(packages, path), code }],
    ),
  );
  return { code: chunks.map(({ code }) => code).join('\n'), modules };
}

describe('what a browser loads', () => {
  const lines: string[] = [];
  afterAll(() => {
    process.stdout.write(`bundle sizes, minified and then compressed by gzip:\n${lines.join('\n')}\n`);
  });

  it.each(Object.entries(exports))('%s runs anywhere and brings no other format', async (name, { source }) => {
    const { code, modules } = await bundle(source);
    lines.push(`  ${name.padEnd(36)} ${kilobytes(code.length)} kB, ${kilobytes(gzipSync(code).length)} kB`);
    const paths = modules.map(({ path }) => path);
    expect(paths.filter((path) => !/^(?:attest|codec)\/|node_modules\/zod\//.test(path))).toEqual([]);
    // The texts of the errors may speak of anything.
    const ours = modules.filter(({ path }) => !/node_modules|^codec\/src\/errors\//.test(path));
    const bound = /from ['"`]node:|\bBuffer\b|\bprocess\.|(?<![.\w])fetch\(|XMLHttpRequest|WebSocket/;
    expect(ours.filter((module) => bound.test(withoutComments(module.code))).map(({ path }) => path)).toEqual([]);
    const format = /^\.\/formats\/(?<format>.+)$/.exec(name)?.groups?.['format'];
    if (format === undefined) return;
    const own = new Set([format, ...(builtOn[format] ?? [])]);
    // Policies name the checks of every format that can be waived; that list is all that one format knows of another.
    const others = paths.filter((path) => {
      const found = /^attest\/src\/formats\/(?<folder>[^/]+)\/(?<file>.+)$/.exec(path)?.groups;
      return found !== undefined && !own.has(found['folder'] ?? '') && found['file'] !== 'waivable.ts';
    });
    expect(others).toEqual([]);
    const areas = paths.flatMap(
      (path) => /^codec\/src\/errors\/attest-(?<area>.+)\.ts$/.exec(path)?.groups?.['area'] ?? [],
    );
    const mine = new Set(['base', ...[...own].flatMap((folder) => areasOf[folder] ?? [folder])]);
    expect(areas.filter((area) => !mine.has(area))).toEqual([]);
  });

  it.each([
    ...Object.entries(exports).map(([name, { source }]) => [`attest ${name}`, source] as const),
    ['channel', '../channel/src/index.ts'],
    ['channel ./wire', '../channel/src/wire/index.ts'],
    ['client', '../client/src/index.ts'],
    ['log', '../log/src/index.ts'],
    ['model ./release', '../model/src/release/index.ts'],
  ] as const)('%s can explain every code that it throws', async (_name, source) => {
    const { modules } = await bundle(source);
    const tables = modules.filter(({ path }) => path.startsWith('codec/src/errors/'));
    const explained = new Set(
      tables.flatMap(({ code }) => [...code.matchAll(/^\s*([A-Z][A-Z0-9_]+): /gm)].map(([, name = '']) => name)),
    );
    expect(explained.size).toBeGreaterThan(10);
    // Lists of what policies can waive name codes of every format and throw none.
    const thrown = modules
      .filter(({ path }) => !/node_modules|^codec\/src\/errors\/|\/(?:waivable|waivers)\.ts$/.test(path))
      .flatMap(({ path, code }) =>
        [...withoutComments(code).matchAll(/["'`]([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)["'`]/g)].map(
          ([, name = '']) => [path, name] as const,
        ),
      )
      .filter(([, name]) => isErrorCode(name));
    expect(thrown.filter(([, name]) => !explained.has(name))).toEqual([]);
  });
});

const withoutComments = (code: string): string => code.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1).padStart(6);
