import { onTestFinished } from 'vitest';
import type { Cmw } from '@fastness/attest';
import {
  collect,
  outerTypesOf,
  sealRequest,
  type ChannelProtocol,
  type OhttpProtocol,
  type OpenedResponse,
} from '@fastness/channel';
import { mediaTypes } from '@fastness/channel/wire';
import { generateEnclaveKeys } from '../src/boot/enclave-keys.ts';
import { KeyRing } from '../src/serve/key-ring.ts';
import { listen } from '../src/serve/node-http.ts';
import { createOuter } from '../src/serve/outer.ts';
import type { TrafficShape } from '../src/serve/traffic/shape.ts';
import type { Serving } from '../src/serve/serving.ts';

const evidence: Cmw = { type: 'application/vnd.fastness.test', value: new Uint8Array(8) };
const releaseDigest = new Uint8Array(32).fill(3);

const noShape: TrafficShape = { frameBytes: 0, frameMs: 1, startMs: 1, leastFrames: 1, stepsPerDoubling: 1 };

export interface GatewayAlone {
  readonly url: string;
  readonly ring: KeyRing;
  /** What the enclave wrote into its log. */
  readonly events: string[];
}

/**
 * The enclave's listener, admission, keys and channel, with no model, broker or evidence behind them: for what happens between
 * the network and the inner API. Closed when the test ends.
 */
export async function gatewayAlone(options: {
  readonly api: (request: Request) => Promise<Response>;
  readonly assertHeld?: () => void;
  readonly clock?: () => number;
  readonly overlapMs?: number;
  readonly openMs?: number;
  readonly arriveMs?: number;
  readonly replayEntries?: number;
  readonly protocols?: readonly ChannelProtocol[];
  readonly unopenedBytes?: number;
  /** Bytes of a frame, as a traffic profile has them. */
  readonly bodyChunk?: number;
}): Promise<GatewayAlone> {
  const { clock = () => performance.now(), assertHeld = () => {} } = options;
  const ring = await KeyRing.create({
    keys: await generateEnclaveKeys(),
    evidence,
    releaseDigest,
    collect: async () => ({ evidence, endorsements: [] }),
    replayEntries: options.replayEntries ?? 1024,
    chunkInterval: 20,
    ...(options.protocols === undefined ? {} : { protocols: options.protocols }),
    requestBytes: 2 ** 20,
    clock,
    now: () => new Date(),
    overlapMs: options.overlapMs ?? 600_000,
  });
  const part: Pick<Serving, 'api' | 'ring' | 'shape' | 'releaseDigest'> & { lease: unknown; release: unknown } = {
    api: options.api,
    ring,
    shape: options.bodyChunk === undefined ? undefined : { ...noShape, frameBytes: options.bodyChunk },
    releaseDigest,
    lease: { assertHeld },
    release: {},
  };
  const events: string[] = [];
  const outer = createOuter({
    serving: () => part as unknown as Serving,
    health: () => ({ healthy: true, body: {} }),
    collect: async () => ({ evidence, endorsements: [] }),
    attestation: { waiting: 16, perSecond: 1000, waitMs: 60_000 },
    admission: {
      concurrent: 64,
      arriving: 64,
      openMs: options.openMs ?? 60_000,
      arriveMs: options.arriveMs ?? 60_000,
    },
    stallMs: 60_000,
    ...(options.unopenedBytes === undefined ? {} : { unopenedBytes: options.unopenedBytes }),
    log: (_level, event) => events.push(event),
  });
  const listener = await listen(outer.handler, { whole: outer.whole, host: '127.0.0.1', port: 0, requestMs: 120_000 });
  onTestFinished(async () => {
    ring.close();
    await listener.close(0);
  });
  return { url: listener.url, ring, events };
}

/** What whoever carries a request sees of its answer. */
export interface Seen {
  readonly status: number;
  readonly type: string | null;
  readonly bytes: Uint8Array;
}

/** POSTs a sealed body; returns what a relay sees. */
export async function carry(url: string, body: BodyInit, type: string = mediaTypes.chunkedRequest): Promise<Seen> {
  const headers = { 'content-type': type };
  const init = { method: 'POST', headers, body, duplex: 'half' } as const;
  const response = await fetch(`${url}/ohttp`, init);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, type: response.headers.get('content-type'), bytes };
}

/** One exchange, from a request to its opened answer with the body read; with what a relay sees of it. */
export async function send(
  url: string,
  keyConfig: Uint8Array,
  request: Request,
  protocol: OhttpProtocol = 'chunked-ohttp',
): Promise<{ seen: Seen; opened?: OpenedResponse; text: string }> {
  const sealed = await sealRequest({ keyConfig, request, protocol });
  const types = outerTypesOf(protocol);
  const body = (await collect(sealed.body, 2 ** 20)) ?? new Uint8Array(0);
  const seen = await carry(url, new Uint8Array(body), types.request);
  if (seen.type !== types.response) return { seen, text: new TextDecoder().decode(seen.bytes) };
  const opened = await sealed.openResponse(new Response(new Uint8Array(seen.bytes)).body ?? new ReadableStream());
  return { seen, opened, text: await new Response(opened.body).text() };
}
