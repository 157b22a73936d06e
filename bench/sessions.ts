// Fresh attested sessions a second from one quote source that takes 39 ms and gives at most 25 quotes a second, as a TDX guest
// measured does: the enclave's real /attestation in a process of its own, asked by clients that know nothing of each other.
// What is counted: a client's nonce answered with evidence bound to it. Each distinct quote is verified in full, as a client
// would; of every further answer to it the proof of its own nonce is verified, and that everything else is the same. Key
// agreement with the enclave is not in it: it costs client and enclave about a millisecond with the first request.
// Both processes share the machine, so what is measured is two cores doing both ends. Run: npm run bench:sessions [-- seconds]
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { verifyNonceProof, type TrustAnchors } from '@fastness/attest';
import { verifyEnclave, type ClientPolicy } from '@fastness/client';
import { attestationBundleSchema } from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url } from '@fastness/codec';
import { now } from '../packages/client/test/support/scenario.ts';
import { askAt, type Load, type Sample } from './attestation-load.ts';
import { timed } from './support.ts';

const quoteMs = 39;
const perSecond = 25;
const seconds = Number(process.argv[2] ?? 10);
const rates = [25, 250, 1250, 2500, 3000, 4000];

interface Ready {
  readonly url: string;
  readonly anchors: TrustAnchors;
  readonly policy: ClientPolicy;
}

const program = fileURLToPath(new URL('sessions-server.ts', import.meta.url));
const child = spawn(process.execPath, [...process.execArgv, program, String(quoteMs), String(perSecond)], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const print = (text: string): void => void process.stdout.write(`${text}\n`);

async function ready(): Promise<Ready> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => resolve(JSON.parse(line) as Ready));
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}.`)));
  });
}

interface Health {
  readonly quotes: number;
  readonly cpu: { user: number; system: number };
}

const health = async (url: string): Promise<Health> => (await (await fetch(`${url}/health`)).json()) as Health;

/** Verifies all answers; gives the number of quotes and the milliseconds that one full verification took. */
async function verifyAll({ samples }: Load, { anchors, policy }: Ready): Promise<{ quotes: number; verifyMs: number }> {
  const byQuote = Map.groupBy(samples, ({ shared }) => shared);
  const times: number[] = [];
  for (const [shared, answers] of byQuote) {
    const [first, ...others] = answers;
    if (first === undefined) continue;
    times.push(
      await timed(async () => {
        await verifyEnclave({ bundle: bundleOf(first, shared), nonce: first.nonce, policy, now, anchors });
      }),
    );
    const root = attestationBundleSchema.parse(bundleOf(first, shared)).batch?.root;
    for (const sample of others) await verifyMember(sample, root);
  }
  times.sort((left, right) => left - right);
  return { quotes: byQuote.size, verifyMs: times[times.length >> 1] ?? Number.NaN };
}

const bundleOf = ({ own }: Sample, shared: string): unknown => JSON.parse(own + shared);

async function verifyMember(sample: Sample, root: string | undefined): Promise<void> {
  const { nonce, batch } = attestationBundleSchema.parse(bundleOf(sample, sample.shared));
  if (batch === undefined || batch.root !== root || nonce !== toBase64Url(sample.nonce)) throw new Error('Not of it.');
  const hashes = batch.hashes.map((hash) => fromBase64Url(hash));
  await verifyNonceProof(sample.nonce, { ...batch, root: fromBase64Url(batch.root), hashes });
}

try {
  const server = await ready();
  const { url } = server;
  // The first seconds compile; nothing of them counts.
  await askAt({ url, rate: 1000, seconds: 1, warmUp: 2 });
  print(
    `quote source: ${quoteMs} ms, one at a time, at most ${perSecond}/s; ${seconds} s a row, Node ${process.version}`,
  );
  print(
    'asked/s  fresh/s  over 25/s  quotes  a quote   p50 ms   p99 ms  p99 in quote times  refused  server CPU/answer',
  );
  for (const rate of rates) {
    const before = await health(url);
    const load = await askAt({ url, rate, seconds, warmUp: 1 });
    const after = await health(url);
    const { quotes, verifyMs } = await verifyAll(load, server);
    const sorted = load.samples.map(({ ms }) => ms).toSorted((left, right) => left - right);
    const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
    const fresh = sorted.length / load.seconds;
    const spent = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system;
    // The second before the counted ones was answered as well.
    const answered = (sorted.length * (seconds + 1)) / seconds;
    const cells = [
      String(rate).padStart(7),
      fresh.toFixed(0).padStart(7),
      `${(fresh / perSecond).toFixed(1)}x`.padStart(9),
      String(quotes).padStart(6),
      (sorted.length / quotes).toFixed(1).padStart(7),
      at(0.5).toFixed(1).padStart(8),
      at(0.99).toFixed(1).padStart(7),
      (at(0.99) / (1000 / perSecond)).toFixed(2).padStart(18),
      String(load.refused).padStart(7),
      `${(spent / answered / 1000).toFixed(3)} ms`.padStart(17),
    ];
    print(`${cells.join('  ')}   (one full verification ${verifyMs.toFixed(1)} ms)`);
  }
} finally {
  child.kill('SIGKILL');
}
process.exit();
