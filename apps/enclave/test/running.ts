import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import {
  amdAnchors,
  cmwFromJson,
  keyConfigDigestOf,
  parseAttestationPolicy,
  reportDataOf,
  verifyEvidence,
  verifyNonceProof,
  type AttestationPolicy,
} from '@fastness/attest';
import { evidenceDigestOf, sealRequest } from '@fastness/channel';
import { attestationBundleSchema, evidenceHeader, mediaTypes, receiptTrailer } from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { parseConfig, type EnclaveConfigInput } from '../src/config.ts';
import { startEnclave, type RunningEnclave } from '../src/enclave.ts';
import type { EnclaveState } from '../src/state.ts';
import type { World } from './world.ts';

export interface Started extends RunningEnclave {
  readonly events: { level: string; event: string; [field: string]: unknown }[];
  until(state: EnclaveState): Promise<void>;
}

export async function start(
  config: EnclaveConfigInput,
  options: { fetch?: typeof fetch; clock?: () => number } = {},
): Promise<Started> {
  const events: Started['events'] = [];
  const waiting = new Set<() => void>();
  const enclave = await startEnclave({
    config: parseConfig(config),
    hardening: undefined,
    log: (level, event, fields) => {
      events.push({ level, event, ...fields });
      for (const check of waiting) check();
    },
    ...options,
  });
  return {
    url: enclave.url,
    tlsUrl: enclave.tlsUrl,
    get state() {
      return enclave.state;
    },
    ended: enclave.ended,
    close: () => enclave.close(),
    events,
    until: (state: EnclaveState) =>
      new Promise<void>((resolve) => {
        const check = (): void => {
          if (enclave.state !== state) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

/** What the enclave of this world must be. */
export function policyOf({ tee }: Pick<World, 'tee'>): AttestationPolicy {
  return parseAttestationPolicy({
    version: 1,
    id: 'client',
    snp: {
      products: ['Milan', 'Genoa', 'Turin'],
      signingKeys: ['vcek'],
      vmpl: [0],
      measurements: [tee.measurement],
      minimumTcb: {},
      smt: 'allow',
    },
    simulated: { arkSpkiSha256: tee.arkSpkiSha256 },
    waivers: [],
  });
}

/** The certificate that is shown to who connects, DER. */
export async function certificateAt(url: string): Promise<Uint8Array> {
  const { hostname: host, port } = new URL(url);
  const socket = connectTls({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const raw = socket.getPeerX509Certificate()?.raw ?? new Uint8Array();
  socket.destroy();
  return new Uint8Array(raw);
}

/** Attests and checks the evidence for what it must bind; returns a fetch that speaks through the channel. */
export async function connect(url: string, world: Pick<World, 'releaseDigest' | 'tee'>) {
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const response = await fetch(`${url}/attestation`, {
    method: 'POST',
    body: JSON.stringify({ nonce: toBase64Url(nonce) }),
  });
  if (!response.ok) throw new Error(await response.text());
  const bundle = attestationBundleSchema.parse(await response.json());
  const keyConfig = fromBase64Url(bundle.keyConfig);
  const receiptKey = fromBase64Url(bundle.receiptKey);
  const keyConfigDigest = await keyConfigDigestOf({ ohttpKeyConfig: keyConfig, receiptKey });
  const evidence = cmwFromJson(bundle.evidence);
  const { batch } = bundle;
  const root = batch === undefined ? undefined : fromBase64Url(batch.root);
  if (batch !== undefined && root !== undefined) {
    await verifyNonceProof(nonce, { ...batch, root, hashes: batch.hashes.map(fromBase64Url) });
  }
  const expectedReportData = await reportDataOf({
    purpose: root === undefined ? 'client' : 'client-batch',
    nonce: root ?? nonce,
    keyConfigDigest,
    releaseDigest: Uint8Array.from(Buffer.from(world.releaseDigest, 'hex')),
    deviceEvidenceDigest: null,
  });
  const verdict = await verifyEvidence({
    evidence,
    endorsements: bundle.endorsements.map(cmwFromJson),
    policy: policyOf(world),
    anchors: amdAnchors,
    expectedReportData,
    now: new Date(),
  });
  const receipts: {
    receipt: string;
    request: { method: string; path: string; body: Uint8Array };
    status: number;
    body: Uint8Array;
  }[] = [];
  const channelFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const body = new Uint8Array(await request.clone().arrayBuffer());
    const headers = new Headers(request.headers);
    headers.set(evidenceHeader, toBase64Url(await evidenceDigestOf(evidence)));
    const sealed = await sealRequest({ keyConfig, request: new Request(request, { headers }) });
    const outer = await fetch(`${url}/ohttp`, {
      method: 'POST',
      headers: { 'content-type': mediaTypes.chunkedRequest },
      body: sealed.body,
      duplex: 'half',
      ...(init?.signal === undefined ? {} : { signal: init.signal }),
    } as RequestInit);
    if (!outer.ok || outer.body === null) throw Object.assign(new Error('refused'), { problem: await outer.json() });
    const opened = await sealed.openResponse(outer.body);
    const [forCaller, forReceipt] = opened.body.tee();
    const path = new URL(request.url).pathname;
    const collected = (async () => {
      const bytes = new Uint8Array(await new Response(forReceipt).arrayBuffer());
      const trailers = await opened.trailers;
      receipts.push({
        receipt: trailers.get(receiptTrailer) ?? '',
        request: { method: request.method, path, body },
        status: opened.status,
        body: bytes,
      });
    })();
    collected.catch(() => {});
    return new Response(forCaller, { status: opened.status, headers: opened.headers });
  };
  return { verdict, evidence, keyConfigDigest, receiptKey, fetch: channelFetch, receipts, bundle };
}
