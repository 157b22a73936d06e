import { execFileSync, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Send } from './completions.ts';

// A proxy that ends TLS in front of bench/plain-server.ts: what one has without a TEE. It runs as a process of its own.

export interface TlsProxy {
  readonly send: Send;
  stop(): Promise<void>;
}

/** Undefined where no openssl is there to make a certificate with. */
export async function startTlsProxy(upstream: string): Promise<TlsProxy | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'fastness-tls-'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  try {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    });
  } catch {
    process.stderr.write('openssl is not here: no TLS proxy to compare with.\n');
    return undefined;
  }
  const child = fork(fileURLToPath(import.meta.url), [upstream, key, certificate]);
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', (code) => reject(new Error(`The TLS proxy ended with ${code}.`)));
  });
  const ca = readFileSync(certificate);
  rmSync(folder, { recursive: true });
  return {
    send: (path, body) =>
      new Promise((resolve, reject) => {
        const request = httpsRequest(`https://127.0.0.1:${port}/`, { method: 'POST', ca });
        request.once('response', (response) => {
          const stream = Readable.toWeb(response) as ReadableStream<Uint8Array<ArrayBuffer>>;
          resolve(new Response(stream, { status: response.statusCode ?? 500 }));
        });
        request.once('error', reject);
        request.end(`${path}\n${body}`);
      }),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await ended;
    },
  };
}

function serve(upstream: string, key: string, certificate: string): void {
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (incoming, outgoing) => {
    const forwarded = httpRequest(upstream, { method: 'POST', headers: { 'content-type': 'text/plain' } });
    forwarded.setNoDelay(true);
    incoming.pipe(forwarded);
    forwarded.once('error', () => outgoing.destroy());
    forwarded.once('response', (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.once('disconnect', () => process.exit());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [upstream = '', key = '', certificate = ''] = process.argv.slice(2);
  serve(upstream, key, certificate);
}
