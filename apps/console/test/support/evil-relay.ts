import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a relay does to the attestation on its way. */
export type Tampering = (bundle: Bundle) => Bundle;
type Bundle = Record<string, unknown> & { nonce: string; evidence: [string, string] };

export interface EvilRelay extends AsyncDisposable {
  readonly url: string;
  /** Undefined: everything passes as it is. */
  tamper: Tampering | undefined;
  /** The last genuine attestation that passed. */
  readonly seen: () => Bundle | undefined;
  /** Requests to `/ohttp`: what left the page sealed. */
  readonly sealed: () => number;
}

/** A relay for pages of any origin, which can do to attestations what it likes. */
export async function startEvilRelay(upstream: string): Promise<EvilRelay> {
  let seen: Bundle | undefined;
  let sealed = 0;
  const relay: { tamper: Tampering | undefined } = { tamper: undefined };
  const server = createServer((request, response) => {
    void (async () => {
      const headers = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'content-type' };
      if (request.method === 'OPTIONS') {
        response.writeHead(204, headers).end();
        return;
      }
      const body = await bodyOf(request);
      if (request.url === '/ohttp') sealed += 1;
      const type = request.headers['content-type'] ?? '';
      const answer = await fetch(`${upstream}${request.url}`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
      let bytes = Buffer.from(await answer.arrayBuffer());
      if (request.url === '/attestation' && answer.ok) {
        const bundle = JSON.parse(bytes.toString()) as Bundle;
        seen ??= bundle;
        bytes = Buffer.from(JSON.stringify(relay.tamper?.(bundle) ?? bundle));
      }
      response
        .writeHead(answer.status, { ...headers, 'content-type': answer.headers.get('content-type') ?? '' })
        .end(bytes);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return Object.assign(relay, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: () => seen,
    sealed: () => sealed,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  });
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Buffer[] = [];
  for await (const part of request) if (part instanceof Uint8Array) parts.push(Buffer.from(part));
  return new Uint8Array(Buffer.concat(parts));
}
