import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { parseAttestationPolicy, reportDataOf, type SessionBinding, type TrustAnchors } from '@fastness/attest';
import { createTlsIdentity, type TlsIdentity, type TlsIdentityOptions } from '@fastness/channel/node/tls';
import { TLS_ALPN, type TlsEvidence, type TlsPeerPolicy } from '@fastness/channel/tls';
import { encodePem, toHex } from '@fastness/codec/bytes';
import { extensionOids, parseCertificate } from '@fastness/codec/x509';
import {
  basicConstraints,
  forgeAmdChain,
  forgeCertificate,
  forgeSnpReport,
  generateKeys,
  keyUsage,
  snpEndorsements,
  snpEvidence,
  type ForgedAmdChain,
  type ForgedExtension,
  type ForgedKeys,
} from '@fastness/testkit';

/** The time of every test. */
export const now = new Date('2026-11-23T12:00:00.000Z');
const measurement = new Uint8Array(48).fill(0xab);

interface EvidenceChange {
  readonly chain?: ForgedAmdChain;
  readonly simulated?: boolean;
  readonly measurement?: Uint8Array;
  readonly session?: Partial<SessionBinding>;
}

/** Hardware with forged vendor keys: its evidence has real signatures. */
export interface ForgedMachine {
  readonly chain: ForgedAmdChain;
  readonly anchors: TrustAnchors;
  readonly collect: (session: SessionBinding, change?: EvidenceChange) => Promise<TlsEvidence>;
  /** What others ask of it. */
  readonly policy: (change?: Partial<TlsPeerPolicy>) => TlsPeerPolicy;
  readonly identity: (
    change?: EvidenceChange,
    options?: Partial<Omit<TlsIdentityOptions, 'collect'>>,
  ) => Promise<TlsIdentity>;
}

export async function forgeMachine(): Promise<ForgedMachine> {
  const chain = await forgeAmdChain({ product: 'Milan', kind: 'vcek', now });
  const anchors: TrustAnchors = {
    snp: [
      {
        name: 'ARK-Milan',
        product: chain.product,
        spkiSha256: chain.arkSpkiSha256,
        certificateSha256: '00'.repeat(32),
        source: 'a test',
      },
    ],
  };
  const collect: ForgedMachine['collect'] = async (session, change = {}) => {
    const from = change.chain ?? chain;
    const reportData = await reportDataOf({ ...session, ...change.session, deviceEvidenceDigest: null });
    const report = await forgeSnpReport({
      chain: from,
      reportData,
      measurement: change.measurement ?? measurement,
    });
    return {
      evidence: snpEvidence({ report, simulated: change.simulated ?? false }),
      endorsements: [snpEndorsements({ certificates: from.certificates, crls: [from.crl] })],
    };
  };
  return {
    chain,
    anchors,
    collect,
    policy: (change = {}) => ({
      attestation: parseAttestationPolicy({
        version: 1,
        id: 'service-to-service',
        snp: {
          products: ['Milan'],
          signingKeys: ['vcek'],
          vmpl: [0],
          measurements: [toHex(measurement)],
          minimumTcb: {},
          smt: 'allow',
        },
        waivers: [],
      }),
      anchors,
      ...change,
    }),
    identity: (change, options) =>
      createTlsIdentity({ collect: (session) => collect(session, change), now: () => now, ...options }),
  };
}

/** A certificate that somebody else makes of the parts of a genuine one. */
export async function dressUp(
  raw: Uint8Array,
  change: {
    readonly keys?: ForgedKeys;
    readonly notAfter?: Date;
    readonly extensions?: (genuine: ForgedExtension[]) => ForgedExtension[];
  },
): Promise<{ raw: Uint8Array; keys: ForgedKeys }> {
  const keys = change.keys ?? (await generateKeys('p-256'));
  const { serial, notBefore, notAfter, extensions } = parseCertificate(raw);
  const others = [...extensions]
    .filter(([oid]) => oid !== extensionOids.basicConstraints && oid !== extensionOids.keyUsage)
    .map(([oid, { value }]) => ({ oid, value }));
  const genuine = [basicConstraints({ ca: false }), keyUsage('digitalSignature'), ...others];
  const made = await forgeCertificate({
    subject: { commonName: 'somebody' },
    keys,
    serial: BigInt(`0x${toHex(serial)}`),
    validity: { notBefore, notAfter: change.notAfter ?? notAfter },
    extensions: change.extensions?.(genuine) ?? genuine,
  });
  return { raw: made, keys };
}

export interface Running extends AsyncDisposable {
  readonly port: number;
}

/** A TLS server under any certificate, which speaks the protocol as `serve` does. */
export async function startTls(
  certificate: { readonly raw: Uint8Array; readonly pkcs8: Uint8Array },
  serve: (socket: TLSSocket) => void,
  options: { readonly ALPNProtocols?: string[] } = { ALPNProtocols: [TLS_ALPN] },
): Promise<Running> {
  const sockets = new Set<Socket>();
  const server = createServer(
    {
      ...options,
      minVersion: 'TLSv1.3',
      cert: encodePem(certificate.raw, 'CERTIFICATE'),
      key: encodePem(certificate.pkcs8, 'PRIVATE KEY'),
    },
    (socket) => {
      socket.on('error', () => undefined);
      serve(socket);
    },
  );
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Hands bytes on between two connections, as any router does. */
export async function startTcpProxy(port: number): Promise<Running> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((incoming) => {
    const outgoing = connectTcp(port, '127.0.0.1');
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    incoming.pipe(outgoing).pipe(incoming);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export function pkcs8Of({ key }: TlsIdentity): Uint8Array {
  return new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
}
