import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** The files of the console by name. The same sources give the same bytes, wherever they are built. */
export type ConsoleSite = ReadonlyMap<string, Uint8Array>;

const page = (name: string): string => fileURLToPath(new URL(`../page/${name}`, import.meta.url));

/**
 * What the page may do: run its own script, load its own style and icon, and talk to the address that was entered (https,
 * or plain http on this machine). Nothing inline, nothing evaluated, nothing from elsewhere, and text never becomes markup.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  'connect-src https: http://127.0.0.1:* http://localhost:*',
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** The value of an `integrity` attribute. */
export function integrityOf(bytes: Uint8Array): string {
  return `sha384-${createHash('sha384').update(bytes).digest('base64')}`;
}

/**
 * Builds the console from source. Everything that runs is one file, so that the one digest in the page covers it.
 * Needs the development dependencies; the published package holds the outcome.
 * @param entry the module that starts the page
 */
export async function buildConsole(entry = new URL('../src/main.ts', import.meta.url)): Promise<ConsoleSite> {
  const { rolldown } = await import('rolldown');
  const bundle = await rolldown({
    input: fileURLToPath(entry),
    platform: 'browser',
    resolve: { conditionNames: ['source', 'browser', 'import'] },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await bundle.generate({ format: 'esm', minify: true, codeSplitting: false });
  await bundle.close();
  const script = new TextEncoder().encode(output[0].code);
  const style = new Uint8Array(await readFile(page('console.css')));
  const values: Readonly<Record<string, string>> = {
    csp: contentSecurityPolicy,
    'console.js': integrityOf(script),
    'console.css': integrityOf(style),
  };
  const html = (await readFile(page('index.html'), 'utf8')).replaceAll(
    /\{\{([a-z.]+)\}\}/g,
    (_, name: string) => values[name] ?? '',
  );
  return new Map([
    ['index.html', new TextEncoder().encode(html)],
    ['console.js', script],
    ['console.css', style],
    ['icon.svg', new Uint8Array(await readFile(page('icon.svg')))],
  ]);
}
