// Processor time that the channel's cryptography costs one request, on the side of the client and of the enclave: key
// agreement, sealing and opening every part of request and answer, digests, and the receipt, made and verified. No network, no
// model. And what an idle session keeps in memory. Run: npm run bench:crypto [-- requests [rounds]]
import {
  collect,
  createReplayCache,
  evidenceDigestOf,
  prepareSeal,
  sealRequest,
  verifyReceipt,
  webPrimitives,
  type Primitives,
} from '@fastness/channel';
import { nodePrimitives } from '@fastness/channel/node';
import { evidenceHeader, receiptTrailer } from '@fastness/channel/wire';
import { createClient, type FastnessClient } from '@fastness/client';
import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { generateEnclaveKeys } from '../apps/enclave/src/boot/enclave-keys.ts';
import { KeyRing } from '../apps/enclave/src/serve/key-ring.ts';
import { forgeEnclave, now, policyFor } from '../packages/client/test/support/scenario.ts';
import { startServer } from '../packages/client/test/support/server.ts';
import { median } from './support.ts';

const requests = Number(process.argv[2] ?? 200);
const rounds = Number(process.argv[3] ?? 5);
const goalMs = 1;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const evidence = { type: 'application/vnd.fastness.bench', value: new Uint8Array(4096) };
const evidenceDigest = toBase64Url(await evidenceDigestOf(evidence));
const ring = await KeyRing.create({
  keys: await generateEnclaveKeys(),
  evidence,
  releaseDigest: new Uint8Array(32).fill(3),
  collect: async () => ({ evidence, endorsements: [] }),
  replayEntries: 4_000_000,
  chunkInterval: 0,
  requestBytes: 2 ** 20,
  clock: () => performance.now(),
  now: () => new Date(),
  overlapMs: 600_000,
});
const { keyConfig, receiptKey } = ring.current.keys.public;
const question = new Uint8Array(900).fill(0x61);

/** An answer of `frames` pieces of `frameBytes` each, every one sealed alone. */
interface Shape {
  readonly name: string;
  readonly frames: number;
  readonly frameBytes: number;
}
const shapes: readonly Shape[] = [
  { name: 'one whole answer of 2 KiB', frames: 1, frameBytes: 2048 },
  { name: 'a stream of 16 frames of 512 bytes', frames: 16, frameBytes: 512 },
  { name: 'a stream of 128 frames of 512 bytes', frames: 128, frameBytes: 512 },
];

interface Cpu {
  readonly client: number;
  /** Of the client's: the key agreement, which clients make before there is a request. */
  readonly ahead: number;
  readonly enclave: number;
}

/** Milliseconds of processor time, all threads of the process, for one of `requests` pieces of work. */
async function cpuOf<T>(work: () => Promise<T>): Promise<{ readonly made: T; readonly ms: number }> {
  const before = process.cpuUsage();
  const made = await work();
  const { user, system } = process.cpuUsage(before);
  return { made, ms: (user + system) / 1000 / requests };
}

/** The sides take turns with all requests at a time, so that what a side costs can be told apart in one process. */
async function round({ frames, frameBytes }: Shape, primitives: Primitives): Promise<Cpu> {
  const prepared = await cpuOf(async () => {
    const all = [];
    for (let count = 0; count < requests; count += 1) all.push(await prepareSeal({ keyConfig, primitives }));
    return all;
  });
  const sealed = await cpuOf(async () => {
    const all = [];
    for (const target of prepared.made) {
      const request = new Request('https://enclave.invalid/v1/chat/completions', {
        method: 'POST',
        headers: { 'content-type': 'application/json', [evidenceHeader]: evidenceDigest },
        body: question,
      });
      const one = await sealRequest({ prepared: target, request });
      all.push({ one, body: (await collect(one.body, 2 ** 20)) ?? new Uint8Array(0) });
    }
    return all;
  });
  const answered = await cpuOf(async () => {
    const all = [];
    for (const { body } of sealed.made) {
      const { generation, stream } = await ring.generationFor(streamOf([body]));
      const opened = await generation.gateway.open(stream);
      const trailers = generation.receipts.trailersFor(opened);
      if ((await collect(opened.request.body, 2 ** 20))?.length !== question.length)
        throw new Error('not the question');
      const parts = Array.from({ length: frames }, () => new Uint8Array(frameBytes).fill(0x62));
      const response = opened.sealResponse({
        status: 200,
        headers: { 'content-type': 'text/event-stream' },
        body: streamOf(parts),
        bodyChunk: frameBytes,
        trailers,
      });
      const chunks: Uint8Array[] = [];
      for await (const chunk of response) chunks.push(chunk);
      all.push(chunks);
    }
    return all;
  });
  const opened = await cpuOf(async () => {
    for (const [at, chunks] of answered.made.entries()) {
      const response = await sealed.made[at]?.one.openResponse(streamOf(chunks));
      if (response === undefined) throw new Error('no request for this answer');
      const body = await collect(response.body, 2 ** 24);
      if (body?.length !== frames * frameBytes) throw new Error('not the answer');
      const receipt = fromBase64Url((await response.trailers).get(receiptTrailer) ?? '');
      await verifyReceipt({ receipt, receiptKey });
    }
  });
  return { client: prepared.ms + sealed.ms + opened.ms, ahead: prepared.ms, enclave: answered.ms };
}

function streamOf(parts: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const part = parts[next++];
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    },
    { highWaterMark: 0 },
  );
}

print(
  `Processor time of the channel for one request, X-Wing; ${requests} requests, medians of ${rounds} rounds; goal ${goalMs} ms a side`,
);
const clients = { 'Node client': nodePrimitives, 'client on WebCrypto': webPrimitives };
for (const shape of shapes) {
  for (const [client, primitives] of Object.entries(clients)) {
    const samples: Cpu[] = [];
    for (let count = 0; count <= rounds; count += 1) {
      const sample = await round(shape, primitives);
      // The first round warms up.
      if (count > 0) samples.push(sample);
    }
    const of = (name: keyof Cpu): string => {
      const values = samples.map((sample) => sample[name]);
      return `${median(values).toFixed(2)} ms (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
    };
    print(`  ${shape.name}, ${client}: client ${of('client')}, of it ahead ${of('ahead')}; enclave ${of('enclave')}`);
  }
}
ring.close();

/** Bytes of heap and buffers that one of `count` things keeps. */
async function keptBy(count: number, make: () => Promise<unknown>): Promise<number> {
  const used = (): number => {
    for (let time = 0; time < 3; time += 1) globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const kept: unknown[] = [];
  for (let warm = 0; warm < 3; warm += 1) kept.push(await make());
  const before = used();
  for (let made = 0; made < count; made += 1) kept.push(await make());
  const bytes = (used() - before) / count;
  if (kept.length < count) throw new Error('nothing was kept');
  return bytes;
}

const enclave = await forgeEnclave();
await using server = await startServer({ enclave, answer: () => ({ body: new Uint8Array(2) }) });
const session = await keptBy(50, async (): Promise<FastnessClient> => {
  const client = createClient({ url: server.url, policy: policyFor(), anchors: enclave.anchors, now: () => now });
  await client.verify();
  return client;
});
const cache = createReplayCache({ capacity: 1_000_000 });
const entry = await keptBy(100_000, async () => cache.claim(crypto.getRandomValues(new Uint8Array(32))));
print('\nMemory of a session in which nothing happens');
print(
  `  client: one verified enclave with its evidence, and a key agreement ready   ${(session / 1024).toFixed(1)} KiB`,
);
print('  enclave: nothing for a session; requests are opened each by itself           0');
print(`  enclave: for each request answered, until keys are replaced (replay cache)   ${entry.toFixed(0)} bytes`);
