import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
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

/** What a browser would load for one export, minified: its bytes and the modules that are in it. */
async function bundle(entry: string) {
  const build = await rolldown({
    input: `${folder}${entry}`,
    platform: 'browser',
    resolve: { conditionNames: ['source', 'browser', 'import'] },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await build.generate({ format: 'esm', minify: true });
  await build.close();
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
  });
});

const withoutComments = (code: string): string => code.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
const kilobytes = (bytes: number): string => (bytes / 1000).toFixed(1).padStart(6);
