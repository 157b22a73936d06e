// `npm run build:browser`: the client for pages (packages/client/dist/browser) and the console (apps/console/dist/site), with
// the size and digest of every file. The same sources give the same bytes.
import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { buildConsole } from '@fastness/console';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The client as an ES module; X-Wing in JavaScript is a file of its own, which browsers with ML-KEM never load. */
export async function buildClient() {
  const bundle = await rolldown({
    input: { 'fastness-client': join(root, 'packages/client/src/browser.ts') },
    platform: 'browser',
    resolve: { conditionNames: ['source', 'browser', 'import'] },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await bundle.generate({
    format: 'esm',
    minify: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  });
  await bundle.close();
  return new Map(output.map(({ fileName, code }) => [fileName, new TextEncoder().encode(code)]));
}

async function write(folder, files) {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of files) {
    await writeFile(join(folder, name), bytes);
    const digest = `sha384-${createHash('sha384').update(bytes).digest('base64')}`;
    const kilobytes = (length) => `${(length / 1000).toFixed(0)} KB`.padStart(7);
    process.stdout.write(
      `${name.padEnd(20)} ${kilobytes(bytes.length)} ${kilobytes(brotliCompressSync(bytes).length)} brotli  ${digest}\n`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await write(join(root, 'packages/client/dist/browser'), await buildClient());
  await write(join(root, 'apps/console/dist/site'), await buildConsole());
}
