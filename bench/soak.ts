// Load for a while: memory, handles and latency of a running enclave must stay. Streams, whole answers, readers who go away
// and clients who verify anew, without a pause. Run: npm run soak [-- minutes [file.svg]]; 20 minutes and docs/soak.svg unless told.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { clientOf } from '../attacks/support/client.ts';
import { createWorld, startStack } from '../attacks/support/world.ts';
import { ask, sealedSend } from './completions.ts';
import { enclaveBelow, factsOf } from './enclave-process.ts';
import { soakPlot, type SoakSample } from './soak-plot.ts';

const minutes = Number(process.argv[2] ?? 20);
const target = process.argv[3] ?? fileURLToPath(new URL('../docs/soak.svg', import.meta.url));
const lanes = 4;
const sampleMs = 5000;
const chat = {
  model: 'triage',
  messages: [{ role: 'user', content: '72F c/o chest pain since this morning. BP 84/52.' }],
};

const world = await createWorld();
try {
  const { enclave, relay } = await startStack(world);
  const listening = enclave.cli.events.find((event) => event['event'] === 'listening');
  const pid = enclaveBelow(Number(listening?.['pid']));
  const until = performance.now() + minutes * 60_000;
  let latencies: number[] = [];
  let requests = 0;
  const lane = async (): Promise<void> => {
    for (let round = 0; performance.now() < until; round += 1) {
      const client = await clientOf(world, { url: relay.url });
      const send = sealedSend(client.fetch);
      for (let turn = 0; turn < 50 && performance.now() < until; turn += 1) {
        const began = performance.now();
        if (turn % 10 === 9) {
          const response = await send('/v1/chat/completions', JSON.stringify({ ...chat, stream: true }));
          await response.body?.cancel();
        } else if (turn % 10 === 4) {
          await (await send('/v1/chat/completions', JSON.stringify(chat))).json();
        } else {
          const { firstTokenMs } = await ask(send, '/v1/chat/completions', chat);
          latencies.push(firstTokenMs);
        }
        if (performance.now() - began > 60_000) throw new Error('An answer took a minute.');
        requests += 1;
      }
    }
  };
  const samples: SoakSample[] = [];
  const started = performance.now();
  const timer = setInterval(() => {
    const sorted = latencies.toSorted((a, b) => a - b);
    latencies = [];
    if (sorted.length === 0) return;
    samples.push({
      minutes: (performance.now() - started) / 60_000,
      ...factsOf(pid),
      medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
      slowMs: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    });
  }, sampleMs);
  await Promise.all(Array.from({ length: lanes }, lane));
  clearInterval(timer);
  writeFileSync(target, soakPlot(samples));
  // The first fifth fills caches and compiles; from there on everything should stay.
  const settled = samples.slice(Math.floor(samples.length / 5));
  const parts = [settled.slice(0, settled.length / 2), settled.slice(settled.length / 2)];
  const mean = (part: readonly SoakSample[], of: (sample: SoakSample) => number): string =>
    (part.reduce((sum, sample) => sum + of(sample), 0) / part.length).toFixed(1);
  const line = (name: string, of: (sample: SoakSample) => number): string =>
    `  ${name.padEnd(28)} ${parts.map((part) => mean(part, of)).join(' -> ')}\n`;
  process.stdout.write(
    `${requests} requests in ${minutes} minutes, ${lanes} at a time; means of the first and the second half, once settled\n` +
      line('resident memory, MiB', ({ residentMiB }) => residentMiB) +
      line('open handles', ({ handles }) => handles) +
      line('first token, median, ms', ({ medianMs }) => medianMs) +
      line('first token, 99th, ms', ({ slowMs }) => slowMs) +
      `  ${target}\n`,
  );
} finally {
  await world.dispose();
}
process.exit();
