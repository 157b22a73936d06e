import { once } from 'node:events';
import { request as httpsRequest, createServer as createHttpsServer } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { reportDataOf, tlsConnectionNonceOf, type SessionBinding } from '@fastness/attest';
import { bareCertificate, createTlsKey, exporterDigestOf, pemOf, type TlsKey } from '@fastness/channel/node/tls';
import { verifyTlsCertificate } from '@fastness/channel/tls';
import { createClient, verifyReceiptBundle, type FastnessClient } from '@fastness/client';
import { fromBase64Url, fromHex, toBase64Url, utf8Encode } from '@fastness/codec';
import { releaseDigestOf } from '@fastness/model/release';
import { forgeSnpReport, snpEndorsements, snpEvidence } from '@fastness/testkit';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { measurement, now, policyFor, type ForgedEnclave } from '../../../packages/client/test/support/scenario.ts';
import { leasedEnclave, type LeasedEnclave } from '../../../packages/client/test/support/broker.ts';
import { generateEnclaveKeys } from '../src/boot/enclave-keys.ts';
import { listenDirectTls, type DirectTls } from '../src/serve/direct-tls.ts';
import { KeyRing } from '../src/serve/key-ring.ts';
import { listen } from '../src/serve/node-http.ts';
import { createOuter, type Outer } from '../src/serve/outer.ts';
import type { Serving } from '../src/serve/serving.ts';
import { codeOf, codeOfAsync } from './codes.ts';

const host = '127.0.0.1';
const inner = 'https://enclave.invalid/v1/echo';

// The enclave's own listener, channel and attestation over forged evidence, and the real client in front of them.
describe('TLS that ends in the enclave', () => {
  let forged: ForgedEnclave;
  let party: LeasedEnclave;
  let releaseDigest: Uint8Array;
  let quoteMs = 0;
  const opened = new Set<() => Promise<unknown>>();
  beforeAll(async () => {
    party = await leasedEnclave();
    forged = party.enclave;
    releaseDigest = await releaseDigestOf(forged.release.bundle);
  });
  afterEach(async () => {
    quoteMs = 0;
    for (const close of opened) await close();
    opened.clear();
  });

  const collect = async (session: SessionBinding) => {
    await sleep(quoteMs);
    const reportData = await reportDataOf({ ...session, deviceEvidenceDigest: null });
    const report = await forgeSnpReport({ chain: forged.chain, reportData, measurement: fromHex(measurement) });
    const { certificates, crl } = forged.chain;
    return { evidence: snpEvidence({ report }), endorsements: [snpEndorsements({ certificates, crls: [crl] })] };
  };

  async function outerOf(): Promise<Outer> {
    const keys = await generateEnclaveKeys();
    const { evidence } = await collect({
      purpose: 'key-release',
      nonce: new Uint8Array(32),
      keyConfigDigest: keys.public.digest,
      releaseDigest,
    });
    const ring = await KeyRing.create({
      keys,
      evidence,
      releaseDigest,
      collect,
      replayEntries: 1024,
      chunkInterval: 20,
      requestBytes: 2 ** 20,
      clock: () => performance.now(),
      now: () => now,
      overlapMs: 600_000,
    });
    opened.add(async () => ring.close());
    // The lease of the broker names the keys in use.
    const shown = await party.lease({
      ...(await forged.attest(toBase64Url(new Uint8Array(32)))),
      keyConfig: toBase64Url(keys.public.keyConfig),
      receiptKey: toBase64Url(keys.public.receiptKey),
    });
    const api = async (request: Request): Promise<Response> => new Response(await request.text());
    const part: Pick<Serving, 'api' | 'ring' | 'shape' | 'release' | 'releaseDigest'> & { lease: unknown } = {
      api,
      ring,
      shape: undefined,
      release: forged.release,
      releaseDigest,
      lease: { assertHeld: () => undefined, shown },
    };
    return createOuter({
      serving: () => part as unknown as Serving,
      health: () => ({ healthy: true, body: {} }),
      collect,
      attestation: { waiting: 64, perSecond: 1000, waitMs: 60_000 },
      admission: { concurrent: 64, arriving: 64, openMs: 60_000, arriveMs: 60_000 },
      stallMs: 60_000,
      log: () => undefined,
    });
  }

  async function startEnclave(): Promise<DirectTls> {
    const { handler, whole } = await outerOf();
    const direct = await listenDirectTls(handler, { whole, host, port: 0, now: () => now, log: () => undefined });
    opened.add(() => direct.close(0));
    return direct;
  }

  const clientOf = (url: string): FastnessClient =>
    createClient({ url, directTls: true, policy: policyFor(), anchors: forged.anchors, now: () => now });
  const refusal = (url: string) => codeOfAsync(clientOf(url).verify());
  const portOf = (url: string) => Number(new URL(url).port);

  /** What somebody who ends TLS does to the attestations that pass. */
  interface Middle {
    readonly asked?: (body: Record<string, unknown>, connection: TLSSocket) => Promise<Record<string, unknown>>;
    readonly answered?: (body: Record<string, unknown>, connection: TLSSocket) => Promise<Record<string, unknown>>;
  }

  /** Ends TLS under a key of its own and hands every request on, over TLS again. */
  async function startMiddle(enclaveUrl: string, own: TlsKey, middle: Middle = {}) {
    const seen: string[] = [];
    const server = createHttpsServer(
      { minVersion: 'TLSv1.3', key: pemOf(own.privateKey), cert: bareCertificate(own) },
      (incoming, outgoing) => {
        void (async () => {
          seen.push(incoming.url ?? '');
          const parts: Uint8Array[] = [];
          for await (const part of incoming) if (part instanceof Uint8Array) parts.push(part);
          const connection = incoming.socket as TLSSocket;
          const attestation = incoming.url === '/attestation';
          let body: Uint8Array = Buffer.concat(parts);
          if (attestation && middle.asked !== undefined)
            body = utf8Encode(JSON.stringify(await middle.asked(JSON.parse(String(body)), connection)));
          const { status, bytes } = await forward(`${enclaveUrl}${incoming.url}`, body);
          const answer =
            attestation && middle.answered !== undefined && status === 200
              ? utf8Encode(JSON.stringify(await middle.answered(JSON.parse(String(bytes)), connection)))
              : bytes;
          outgoing.writeHead(status, { 'content-type': 'application/json' });
          outgoing.end(answer);
        })().catch(() => outgoing.destroy());
      },
    );
    server.listen(0, host);
    await once(server, 'listening');
    opened.add(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return { url: `https://${host}:${(server.address() as AddressInfo).port}`, seen };
  }

  async function forward(url: string, body: Uint8Array): Promise<{ status: number; bytes: Buffer }> {
    const request = httpsRequest(url, { method: 'POST', rejectUnauthorized: false, agent: false });
    const response = once(request, 'response');
    request.end(body);
    const [incoming] = (await response) as [import('node:http').IncomingMessage];
    const parts: Uint8Array[] = [];
    for await (const part of incoming) if (part instanceof Uint8Array) parts.push(part);
    return { status: incoming.statusCode ?? 0, bytes: Buffer.concat(parts) };
  }

  /** Hands bytes on to whatever port it is told for the next connections. */
  async function startRouter(port: number) {
    const state = { port };
    const sockets = new Set<Socket>();
    const server = createTcpServer((incoming) => {
      const outgoing = connectTcp(state.port, host);
      for (const socket of [incoming, outgoing]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
      }
      incoming.pipe(outgoing).pipe(incoming);
    });
    server.listen(0, host);
    await once(server, 'listening');
    const cut = (): void => {
      for (const socket of sockets) socket.destroy();
    };
    opened.add(async () => {
      cut();
      await new Promise((resolve) => server.close(resolve));
    });
    return { url: `https://${host}:${(server.address() as AddressInfo).port}`, state, cut };
  }

  it('carries verified requests, also through a router, and receipts that anybody can check later', async () => {
    const enclave = await startEnclave();
    const router = await startRouter(portOf(enclave.url));
    for (const url of [enclave.url, router.url]) {
      const client = clientOf(url);
      const verified = await client.verify();
      expect(verified.bundle.tls?.spki).toMatch(/^[\w-]+$/);
      expect(verified.checks.map(({ code }) => code)).toContain('CLIENT_TLS_EXPORTER');
      const texts = await Promise.all(
        ['one', 'two', 'three'].map(async (body) => (await client.fetch(inner, { method: 'POST', body })).text()),
      );
      expect(texts).toEqual(['one', 'two', 'three']);
      const streamed = new ReadableStream<Uint8Array>({
        start: (controller) => {
          controller.enqueue(utf8Encode('streamed'));
          controller.close();
        },
      });
      const init = { method: 'POST', body: streamed, duplex: 'half' } as RequestInit;
      const response = await client.fetch(inner, init);
      expect(await response.text()).toBe('streamed');
      const bundle = await client.getReceipt(response);
      const offline = await verifyReceiptBundle({ bundle, policy: policyFor(), anchors: forged.anchors, now });
      expect(offline.enclave.bundle.tls).toEqual(verified.bundle.tls);
    }
  });

  it('answers many clients with one quote, each for its own connection', async () => {
    const enclave = await startEnclave();
    quoteMs = 50;
    for (let batched = false; !batched;) {
      const verified = await Promise.all(Array.from({ length: 6 }, () => clientOf(enclave.url).verify()));
      expect(new Set(verified.map(({ bundle }) => bundle.tls?.exporter)).size).toBe(6);
      batched = verified.some(({ bundle }) => (bundle.batch?.size ?? 1) > 1);
    }
  });

  it('refuses a proxy that ends TLS', async () => {
    const enclave = await startEnclave();
    const { url, seen } = await startMiddle(enclave.url, createTlsKey());
    expect(await refusal(url)).toBe('CLIENT_TLS_EXPORTER');
    expect(await codeOfAsync(clientOf(url).fetch(inner, { method: 'POST', body: 'secret' }))).toBe(
      'CLIENT_TLS_EXPORTER',
    );
    expect(seen).toEqual(['/attestation', '/attestation']);
  });

  it('refuses one that names its own connection as well', async () => {
    const enclave = await startEnclave();
    const own = createTlsKey();
    const exporterOf = async (connection: TLSSocket) => toBase64Url(await exporterDigestOf(connection));
    const names = (change: (connection: TLSSocket) => Promise<object>): Middle => ({
      answered: async (body, connection) => ({
        ...body,
        tls: { ...(body['tls'] as object), ...(await change(connection)) },
      }),
    });
    const ownSpki = { spki: toBase64Url(own.spki) };
    const exporter = await startMiddle(
      enclave.url,
      own,
      names(async (connection) => ({ exporter: await exporterOf(connection) })),
    );
    expect(await refusal(exporter.url)).toBe('CLIENT_TLS_EXPORTER');
    const both = await startMiddle(
      enclave.url,
      own,
      names(async (connection) => ({ exporter: await exporterOf(connection), ...ownSpki })),
    );
    expect(await refusal(both.url)).toBe('SNP_REPORT_DATA_MISMATCH');
  });

  it('refuses one that leaves the connection out', async () => {
    const enclave = await startEnclave();
    const plain = await startMiddle(enclave.url, createTlsKey(), { asked: async ({ nonce }) => ({ nonce }) });
    expect(await refusal(plain.url)).toBe('CLIENT_TLS_UNBOUND');
  });

  it('refuses one that asks with a nonce which stands for its own connection', async () => {
    const enclave = await startEnclave();
    const own = createTlsKey();
    let asked = '';
    const { url } = await startMiddle(enclave.url, own, {
      asked: async ({ nonce }, connection) => {
        asked = String(nonce);
        const exporterDigest = await exporterDigestOf(connection);
        const stands = await tlsConnectionNonceOf({ nonce: fromBase64Url(asked), exporterDigest, spki: own.spki });
        return { nonce: toBase64Url(stands) };
      },
      answered: async (body, connection) => ({
        ...body,
        nonce: asked,
        tls: { exporter: toBase64Url(await exporterDigestOf(connection)), spki: toBase64Url(own.spki) },
      }),
    });
    expect(await refusal(url)).toBe('SNP_REPORT_DATA_MISMATCH');
  });

  it('sends no request to who takes the place of a verified enclave', async () => {
    const enclave = await startEnclave();
    const middle = await startMiddle(enclave.url, createTlsKey());
    const router = await startRouter(portOf(enclave.url));
    const client = clientOf(router.url);
    expect(await (await client.fetch(inner, { method: 'POST', body: 'before' })).text()).toBe('before');
    router.state.port = portOf(middle.url);
    router.cut();
    expect(await codeOfAsync(client.fetch(inner, { method: 'POST', body: 'secret' }))).toBe('CLIENT_TLS_KEY');
    expect(middle.seen).toEqual([]);
    // A restarted enclave has another key, and is believed once it was verified.
    const restarted = await startEnclave();
    router.state.port = portOf(restarted.url);
    await client.verify();
    expect(await (await client.fetch(inner, { method: 'POST', body: 'after' })).text()).toBe('after');
  });

  it('has a certificate that services can verify by itself', async () => {
    const enclave = await startEnclave();
    await enclave.certify(collect, releaseDigest);
    const { snp } = policyFor().attestation;
    const attestation = { ...policyFor().attestation, snp: { ...snp, measurements: [measurement] } };
    const certificateOf = async (): Promise<Uint8Array> => {
      const socket = connectTls({ host, port: portOf(enclave.url), rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const raw = socket.getPeerX509Certificate()?.raw ?? new Uint8Array();
      socket.destroy();
      return new Uint8Array(raw);
    };
    const peer = { attestation, anchors: forged.anchors, releaseDigest } as Parameters<
      typeof verifyTlsCertificate
    >[0]['peer'];
    const verified = await verifyTlsCertificate({ raw: await certificateOf(), peer, now });
    expect(toBase64Url(verified.spki)).toBe((await clientOf(enclave.url).verify()).bundle.tls?.spki);
  });

  it('binds nothing where no TLS ends, and asks for https', async () => {
    const { handler, whole } = await outerOf();
    const listener = await listen(handler, { whole, host, port: 0 });
    opened.add(() => listener.close(0));
    const body = JSON.stringify({ nonce: toBase64Url(new Uint8Array(32)), tlsExporter: true });
    const response = await fetch(`${listener.url}/attestation`, { method: 'POST', body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'ENCLAVE_TLS_ABSENT' });
    expect(codeOf(() => clientOf(listener.url))).toBe('CLIENT_OPTION_INVALID');
    // An option left undefined takes nothing away.
    const { url } = await startMiddle((await startEnclave()).url, createTlsKey());
    const options = { url, directTls: true, policy: policyFor(), anchors: forged.anchors, now: () => now };
    Reflect.set(options, 'direct', undefined);
    const client = createClient(options);
    expect(await codeOfAsync(client.verify())).toBe('CLIENT_TLS_EXPORTER');
  });
});
