import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';

/** Where Debian's package puts it; another place by environment. */
export const chromiumPath = process.env['FASTNESS_CHROMIUM'] ?? '/usr/bin/chromium';
export const chromiumPresent = existsSync(chromiumPath);

/** Bundles a module and what it imports from source, for a browser. Fails on anything that a browser does not have. */
export async function bundleForBrowser(entry: URL): Promise<string> {
  const bundle = await rolldown({
    input: fileURLToPath(entry),
    platform: 'browser',
    resolve: { conditionNames: ['source', 'browser', 'import'] },
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await bundle.generate({ format: 'esm' });
  await bundle.close();
  const [chunk, ...more] = output;
  if (more.length > 0) throw new Error('more than one chunk');
  return chunk.code;
}

/**
 * Runs `work` on a page in headless Chromium that has run `script`; on loopback, as WebCrypto wants a secure context. Leaves
 * nothing running.
 */
export async function withPage<T>(script: string, work: (page: Page, version: string) => Promise<T>): Promise<T> {
  const server = createServer((request, response) => {
    const js = request.url === '/script.js';
    response.setHeader('content-type', js ? 'text/javascript' : 'text/html');
    response.end(js ? script : '<!doctype html><script type="module" src="/script.js"></script>');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({
      executablePath: chromiumPath,
      args: ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update'],
      // Chromium's sandbox does not start for root, as which containers run tests; the page is our own.
      chromiumSandbox: process.getuid?.() !== 0,
    });
    const page = await browser.newPage();
    const { port } = server.address() as AddressInfo;
    await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'load' });
    return await work(page, browser.version());
  } finally {
    await browser?.close();
    server.closeAllConnections();
    server.close();
  }
}
