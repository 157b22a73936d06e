import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type * as FastnessClient from '@fastness/client/browser';
import { contentSecurityPolicy } from '../../node/index.ts';

declare global {
  var fastness: typeof FastnessClient;
}

const script = "import * as client from './fastness-client.js'; globalThis.fastness = client;";

export interface ServedFiles {
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** Serves a page that loads the client out of `files`, under the console's content security policy. */
export async function serveFiles(files: ReadonlyMap<string, Uint8Array>): Promise<ServedFiles> {
  const server = createServer((request, response) => {
    const name = request.url?.slice(1) ?? '';
    const file = name === 'page.js' ? script : files.get(name);
    response.setHeader('content-security-policy', contentSecurityPolicy);
    response.setHeader('content-type', file === undefined ? 'text/html' : 'text/javascript');
    response.end(file ?? '<!doctype html><title>a page</title><script type="module" src="page.js"></script>');
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

/** Runs in the page, before its scripts: the WebCrypto of a browser that has no ML-KEM. */
export function removeMlKem(): void {
  const { subtle } = crypto;
  // Some have X-Wing whole, under a name of its own.
  const missing = /ML-?KEM/;
  if ('supports' in SubtleCrypto) Object.defineProperty(SubtleCrypto, 'supports', { value: () => false });
  for (const name of ['generateKey', 'importKey'] as const) {
    const genuine = subtle[name].bind(subtle) as (...parameters: unknown[]) => Promise<unknown>;
    Object.defineProperty(subtle, name, {
      value: async (...parameters: unknown[]) => {
        if (missing.test(JSON.stringify(parameters))) throw new DOMException('', 'NotSupportedError');
        return genuine(...parameters);
      },
    });
  }
}

/** Runs in the page: verifies and asks with the built client. */
export async function askInPage(options: { url: string; policy: unknown; note: string }): Promise<{
  kems: number[];
  text: string;
  receipt: string;
}> {
  const { createClient, parseClientPolicy } = globalThis.fastness;
  const kems: number[] = [];
  const client = createClient({
    url: options.url,
    policy: parseClientPolicy(options.policy),
    onEvent: (event) => {
      if (event.type === 'sent') kems.push(event.kem);
    },
  });
  const response = await client.fetch('https://enclave.invalid/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'triage', messages: [{ role: 'user', content: options.note }] }),
  });
  const text = await response.text();
  return { kems, text, receipt: (await client.getReceipt(response)).format };
}
