import { once } from 'node:events';
import { createServer as createHttpServer, request } from 'node:http';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { cmwToJson, tlsConnectionNonceOf, tlsKeyDigestOf, type SessionBinding } from '@fastness/attest';
import {
  connectAttestedTls,
  exporterDigestOf,
  listenAttestedTls,
  type AttestedListener,
  type ListenAttestedTlsOptions,
  type TlsIdentity,
  type TlsPeer,
} from '@fastness/channel/node/tls';
import { TLS_ALPN, type TlsEvidence, type TlsPeerPolicy } from '@fastness/channel/tls';
import { fromBase64Url, toBase64Url, u32be, utf8Decode } from '@fastness/codec/bytes';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readMessage, writeMessage } from '../node/tls/messages.ts';
import {
  dressUp,
  forgeMachine,
  now,
  pkcs8Of,
  startTcpProxy,
  startTls,
  type ForgedMachine,
} from './support/attested.ts';
import { failureOf, expectCode } from './support/errors.ts';

const host = '127.0.0.1';

describe('attested TLS between services', () => {
  let machine: ForgedMachine;
  let identity: TlsIdentity;
  let raw: Uint8Array;
  beforeAll(async () => {
    machine = await forgeMachine();
    identity = await machine.identity();
    ({ raw } = await identity.certificate());
  });
  const opened: AsyncDisposableStack[] = [];
  const stack = (): AsyncDisposableStack => {
    const added = new AsyncDisposableStack();
    opened.push(added);
    return added;
  };
  afterEach(async () => {
    for (const each of opened.splice(0)) await each.disposeAsync();
  });

  interface Service {
    readonly listener: AttestedListener;
    readonly peers: (TlsPeer | undefined)[];
    /** Resolves with the next reason for which somebody was refused. */
    readonly refusal: () => Promise<string>;
  }

  /** A service that sends everything back. */
  async function serve(change: Partial<ListenAttestedTlsOptions> = {}): Promise<Service> {
    const peers: Service['peers'] = [];
    const refused: string[] = [];
    let told = (): void => undefined;
    const listener = await listenAttestedTls({
      host,
      port: 0,
      identity,
      now: () => now,
      onConnection: (socket, peer) => {
        peers.push(peer);
        socket.on('error', () => undefined);
        socket.pipe(socket);
      },
      onRefused: (error) => {
        refused.push(error instanceof Error && 'code' in error ? String(error.code) : 'unforeseen');
        told();
      },
      ...change,
    });
    stack().defer(() => listener.close());
    const refusal = async (): Promise<string> => {
      while (refused.length === 0) await new Promise<void>((resolve) => (told = resolve));
      return refused.shift() ?? '';
    };
    return { listener, peers, refusal };
  }

  async function dial(port: number, change: Partial<TlsPeerPolicy> = {}, own?: TlsIdentity) {
    const connection = await connectAttestedTls({
      host,
      port,
      peer: machine.policy(change),
      now: () => now,
      ...(own === undefined ? {} : { identity: own }),
    });
    connection.socket.on('error', () => undefined);
    stack().defer(() => void connection.socket.destroy());
    return connection;
  }

  const echo = async (socket: TLSSocket, text: string): Promise<string> => {
    const back = once(socket, 'data');
    socket.write(text);
    const [bytes] = (await back) as [Uint8Array];
    return utf8Decode(bytes);
  };

  /** A service that has a certificate and answers each nonce by `answer`; `heard` collects what reaches it afterwards. */
  async function impostor(
    certificate: { readonly raw: Uint8Array; readonly pkcs8: Uint8Array },
    answer: (nonce: Uint8Array, socket: TLSSocket) => Promise<object | undefined>,
  ) {
    const heard: string[] = [];
    const running = await startTls(certificate, (socket) => {
      void (async () => {
        const hello = await readMessage(socket, 1024, new AbortController().signal);
        heard.push('hello');
        const { nonce } = JSON.parse(utf8Decode(hello)) as { nonce: string };
        const message = await answer(fromBase64Url(nonce), socket);
        if (message !== undefined) writeMessage(socket, message);
        socket.on('data', () => heard.push('data'));
      })().catch(() => undefined);
    });
    stack().use(running);
    return { port: running.port, heard };
  }

  /** The answer that the genuine service gives on a connection with this exporter. */
  async function answerFor(nonce: Uint8Array, exporterDigest: Uint8Array, change: Partial<SessionBinding> = {}) {
    const { spki, releaseDigest } = identity;
    const made: TlsEvidence = await identity.collect({
      purpose: 'tls',
      nonce: await tlsConnectionNonceOf({ nonce, exporterDigest, spki }),
      keyConfigDigest: await tlsKeyDigestOf(spki),
      releaseDigest,
      ...change,
    });
    return {
      nonce: toBase64Url(nonce),
      exporter: toBase64Url(exporterDigest),
      evidence: 'records' in made.evidence ? {} : cmwToJson(made.evidence),
      endorsements: made.endorsements.map(cmwToJson),
    };
  }

  const leaked = () => ({ raw, pkcs8: pkcs8Of(identity) });

  it('proves the service and carries bytes, through whatever hands them on unchanged', async () => {
    const service = await serve();
    const proxy = await startTcpProxy(service.listener.port);
    stack().use(proxy);
    for (const port of [service.listener.port, proxy.port]) {
      const { socket, peer } = await dial(port);
      expect(peer.spki).toEqual(identity.spki);
      expect(peer.verdict.claims.simulated).toBe(false);
      expect(await echo(socket, 'a prompt')).toBe('a prompt');
    }
    expect(service.peers).toEqual([undefined, undefined]);
  });

  it('carries HTTP: the connection is a socket like any other', async () => {
    const http = createHttpServer((incoming, outgoing) => outgoing.end(`you asked for ${incoming.url}`));
    const service = await serve({ onConnection: (socket) => http.emit('connection', socket) });
    const { socket } = await dial(service.listener.port);
    const text = await new Promise<string>((resolve, reject) => {
      request({ createConnection: () => socket, path: '/v1/models', host: 'service' }, (response) => {
        response.setEncoding('utf8');
        let all = '';
        response.on('data', (part: string) => (all += part));
        response.once('end', () => resolve(all));
      })
        .once('error', reject)
        .end();
    });
    expect(text).toBe('you asked for /v1/models');
  });

  it('proves both sides where both ask', async () => {
    const caller = await machine.identity();
    const service = await serve({ peer: machine.policy() });
    const { socket, peer } = await dial(service.listener.port, {}, caller);
    expect(await echo(socket, 'both')).toBe('both');
    expect(peer.spki).toEqual(identity.spki);
    expect(service.peers[0]?.spki).toEqual(caller.spki);
  });

  it('refuses callers that prove nothing, something else, or another machine', async () => {
    const service = await serve({ peer: machine.policy() });
    const refused = (own?: TlsIdentity) => failureOf(() => dial(service.listener.port, {}, own));
    await expectCode(() => dial(service.listener.port), 'CHANNEL_TLS_CLOSED');
    expect(await service.refusal()).toBe('CHANNEL_TLS_CERTIFICATE_MISSING');
    const simulated = await machine.identity({ simulated: true });
    expect((await refused(simulated)).code).toBe('CHANNEL_TLS_CLOSED');
    expect(await service.refusal()).toBe('SIMULATED_EVIDENCE_REFUSED');
    expect(service.peers).toEqual([]);
    // A genuine certificate, and evidence for the connection that somebody else made at another time.
    const caller = await machine.identity();
    let asked = 0;
    const stale: TlsIdentity = {
      ...caller,
      collect: (session) => caller.collect(asked++ === 0 ? { ...session, nonce: new Uint8Array(32) } : session),
    };
    const { socket } = await dial(service.listener.port, {}, stale);
    expect(await service.refusal()).toBe('SNP_REPORT_DATA_MISMATCH');
    expect(service.peers).toEqual([]);
    if (!socket.closed) await once(socket, 'close');
  });

  it('sends nothing, not even its nonce, to a server without evidence', async () => {
    const bare = await dressUp(raw, { extensions: (all) => all.slice(0, 2) });
    const { port, heard } = await impostor({ raw: bare.raw, pkcs8: bare.keys.pkcs8 }, async () => undefined);
    await expectCode(() => dial(port), 'CHANNEL_TLS_EVIDENCE_MISSING');
    expect(heard).toEqual([]);
  });

  it('refuses who put genuine evidence around a key of their own', async () => {
    const own = await dressUp(raw, {});
    const { port, heard } = await impostor({ raw: own.raw, pkcs8: own.keys.pkcs8 }, async () => undefined);
    await expectCode(() => dial(port), 'SNP_REPORT_DATA_MISMATCH');
    expect(heard).toEqual([]);
  });

  it('refuses simulated evidence, an expired certificate and another release', async () => {
    const simulated = await serve({ identity: await machine.identity({ simulated: true }) });
    await expectCode(() => dial(simulated.listener.port), 'SIMULATED_EVIDENCE_REFUSED');
    const service = await serve();
    const later = () => new Date(now.getTime() + 25 * 3600_000);
    const { port } = service.listener;
    await expectCode(() => connectAttestedTls({ host, port, peer: machine.policy(), now: later }), 'X509_EXPIRED');
    await expectCode(() => dial(port, { releaseDigest: new Uint8Array(32) }), 'SNP_REPORT_DATA_MISMATCH');
  });

  // From here on the attacker has what nobody should have: the private key of the service.

  it('refuses an old answer from who has the key', async () => {
    const old = new Uint8Array(32).fill(7);
    const { port, heard } = await impostor(leaked(), async (_, socket) =>
      answerFor(old, await exporterDigestOf(socket)),
    );
    await expectCode(() => dial(port), 'CHANNEL_TLS_NONCE');
    const rewritten = await impostor(leaked(), async (nonce, socket) => ({
      ...(await answerFor(old, await exporterDigestOf(socket))),
      nonce: toBase64Url(nonce),
    }));
    await expectCode(() => dial(rewritten.port), 'SNP_REPORT_DATA_MISMATCH');
    expect([...heard, ...rewritten.heard]).toEqual(['hello', 'hello']);
  });

  it('refuses who has the key, ends TLS and fetches fresh evidence from the genuine service', async () => {
    const service = await serve();
    /** Asks the genuine service with the victim's nonce, on a connection of its own. */
    const fetchEvidence = async (nonce: Uint8Array): Promise<Record<string, unknown>> => {
      const socket = connectTls({
        host,
        port: service.listener.port,
        ALPNProtocols: [TLS_ALPN],
        rejectUnauthorized: false,
      });
      stack().defer(() => void socket.destroy());
      await once(socket, 'secureConnect');
      writeMessage(socket, { nonce: toBase64Url(nonce) });
      const answer = await readMessage(socket, 1 << 20, new AbortController().signal);
      return JSON.parse(utf8Decode(answer)) as Record<string, unknown>;
    };
    const honest = await impostor(leaked(), fetchEvidence);
    await expectCode(() => dial(honest.port), 'CHANNEL_TLS_EXPORTER');
    const rewriting = await impostor(leaked(), async (nonce, socket) => ({
      ...(await fetchEvidence(nonce)),
      exporter: toBase64Url(await exporterDigestOf(socket)),
    }));
    await expectCode(() => dial(rewriting.port), 'SNP_REPORT_DATA_MISMATCH');
    expect([...honest.heard, ...rewriting.heard]).toEqual(['hello', 'hello']);
  });

  it('refuses evidence that was made for another purpose', async () => {
    const { port } = await impostor(leaked(), async (nonce, socket) =>
      answerFor(nonce, await exporterDigestOf(socket), { purpose: 'client' }),
    );
    await expectCode(() => dial(port), 'SNP_REPORT_DATA_MISMATCH');
    const control = await impostor(leaked(), async (nonce, socket) => answerFor(nonce, await exporterDigestOf(socket)));
    await dial(control.port);
  });

  it('refuses what is no answer, too long a one, none at all, and silence', async () => {
    const sends = (bytes: Uint8Array, end: boolean) =>
      impostor(leaked(), async (_, socket) => {
        socket.write(bytes);
        if (end) socket.end();
        return undefined;
      });
    await expectCode(
      async () => dial((await impostor(leaked(), async () => ({ nonce: 1 }))).port),
      'CHANNEL_TLS_EXCHANGE',
    );
    await expectCode(async () => dial((await sends(u32be(9 << 20), false)).port), 'CHANNEL_TLS_EXCHANGE');
    await expectCode(async () => dial((await sends(u32be(9), true)).port), 'CHANNEL_TLS_CLOSED');
    const silent = await impostor(leaked(), async () => undefined);
    const waits = { host, port: silent.port, peer: machine.policy(), now: () => now, timeoutMs: 300 };
    await expectCode(() => connectAttestedTls(waits), 'CHANNEL_TLS_TIMEOUT');
  });

  it('refuses what speaks no TLS or another protocol, and nobody there', async () => {
    const other = await startTls(leaked(), () => undefined, { ALPNProtocols: ['http/1.1'] });
    stack().use(other);
    await expectCode(() => dial(other.port), 'CHANNEL_TLS_HANDSHAKE');
    const none = await startTls(leaked(), () => undefined, {});
    stack().use(none);
    await expectCode(() => dial(none.port), 'CHANNEL_TLS_EXCHANGE');
    const gone = await serve();
    await gone.listener.close();
    await expectCode(() => dial(gone.listener.port), 'CHANNEL_TLS_HANDSHAKE');
  });

  it('makes no more quotes at a time than it was allowed', async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow: TlsIdentity = {
      ...identity,
      collect: async (session) => {
        begun.resolve();
        await gate.promise;
        return identity.collect(session);
      },
    };
    const service = await serve({ identity: slow, maximumExchanges: 1 });
    const first = dial(service.listener.port);
    await begun.promise;
    await expectCode(() => dial(service.listener.port), 'CHANNEL_TLS_CLOSED');
    expect(await service.refusal()).toBe('CHANNEL_TLS_BUSY');
    gate.resolve();
    expect(await echo((await first).socket, 'still there')).toBe('still there');
  });
});
