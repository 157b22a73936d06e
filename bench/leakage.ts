// What sizes and times of encrypted answers tell about their topic: real runs of the default model, recorded at the relay, once
// for every traffic profile, and classifiers that are trained on just that traffic. Every note is asked once and judged by
// who was not trained on it, intervals are a bootstrap over notes, and labels that were dealt out anew show what chance finds.
// Run: npm run bench:leakage [-- traces [file.json]], which keeps the traces of strict for other attackers (Debian: python3)
import { writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { createClient } from '@fastness/client';
import { attack, attackers } from '../attacks/traffic/attack.ts';
import { prompts, type Prompt } from '../attacks/traffic/prompts.ts';
import { startRecorder } from '../attacks/traffic/recorder.ts';
import {
  areaUnderPrecisionRecall,
  areaUnderRoc,
  bootstrapInterval,
  precisionAtRecall,
  randomFrom,
  type Scored,
} from '../attacks/traffic/scores.ts';
import type { Labelled } from '../attacks/traffic/trace.ts';
import { clientOf, clientPolicyOf } from '../attacks/support/client.ts';
import { mustRun } from '../attacks/support/cli.ts';
import { createWorld, defaultModel, signAndApprove, type World } from '../attacks/support/world.ts';
import { ask, plainSend, sampleOf, sealedSend, type Send } from './completions.ts';
import { startPlain } from './plain-process.ts';
import { alternate, median, medianRatio } from './support.ts';

const wanted = Number(process.argv[2] ?? 10_000);
const file = process.argv[3];
/** Goals of `strict`: upper bound of the AUC, bytes over one event a token, tokens a second over plain HTTP. */
const goals = { area: 0.52, bytes: 1, speed: 0.95 };
/** Milliseconds after which an answer of `strict` has taken more than its 8 frames; its lane then rests as long. */
const lateMs = 850;
/** What an application allows that knows its answers, which have 18 on average and about 30 at most. */
const maxTokens = 64;
const sequences = 8;

interface Way {
  readonly name: string;
  readonly traffic: 'off' | 'balanced' | 'strict';
  readonly args: readonly string[];
  /** Streams at a time: few where the engine is the bottleneck, more where answers wait for their frames. */
  readonly lanes: number;
  readonly traces: number;
}

const few = Math.min(wanted, 500);
/** A busy machine asks fewer notes, and gets a wider interval, instead of taking longer. */
const mostMinutes = 7.5;
const ways: readonly Way[] = [
  {
    name: 'off, 1 token an event',
    traffic: 'off',
    args: ['--tokens-per-event', '1', '--gather-ms', '0'],
    lanes: 2,
    traces: few,
  },
  { name: 'off, 8 tokens an event', traffic: 'off', args: [], lanes: 2, traces: few },
  { name: 'balanced', traffic: 'balanced', args: [], lanes: 4, traces: few },
  { name: 'strict', traffic: 'strict', args: [], lanes: 14, traces: wanted },
];

interface Run {
  readonly traces: readonly Labelled[];
  /** Of an answer, on the wire, and as it was before it was sealed. */
  readonly bytes: number;
  readonly plainBytes: number;
  readonly firstTokenMs: number;
  readonly wholeMs: number;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const began = performance.now();
const note = (text: string): void => {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(0)} s: ${text}\n`);
};

/** Asks all prompts through a recording relay; lanes take turns at the list. Requests are padded as the profile demands. */
async function record(world: World, brokerUrl: string, way: Way, asked: readonly Prompt[]): Promise<Run> {
  await signAndApprove(world, ['--traffic', way.traffic]);
  await mustRun(world.home, ['publish', '--url', brokerUrl]);
  const base = ['--broker', brokerUrl, '--sequences', String(sequences), '--traffic', way.traffic];
  const enclave = await world.start('enclave', [...base, ...way.args]);
  const recorder = await startRecorder(enclave.url);
  const policy = await clientPolicyOf(world);
  const traces: (Labelled | undefined)[] = [];
  const seen: { readonly first: number; readonly whole: number; readonly plain: number }[] = [];
  const until = performance.now() + mostMinutes * 60_000;
  let next = 0;
  let failed = 0;
  const lane = async (): Promise<void> => {
    let id = '';
    const client = createClient({
      policy: way.traffic === 'off' ? policy : { ...policy, traffic: way.traffic },
      url: recorder.url,
      fetch: recorder.fetchAs(() => id),
    });
    const send = sealedSend(client.fetch);
    for (let index = next++; index < asked.length && performance.now() < until; index = next++) {
      const prompt = asked[index];
      if (prompt === undefined) return;
      id = String(index);
      const answer = await ask(send, '/v1/chat/completions', {
        model: 'triage',
        messages: [{ role: 'user', content: prompt.text }],
        max_tokens: maxTokens,
      }).catch((error: unknown) => {
        failed += 1;
        note(`${way.name}, note ${index}: ${String(error)}`);
        // One in a thousand may fail, as a busy machine's do; it is left out.
        if (failed > asked.length / 1000 + 1) throw error;
      });
      if (answer === undefined) continue;
      seen.push({ first: answer.firstTokenMs, whole: answer.wholeMs, plain: answer.bodyBytes });
      // Late: the machine is full, and what it shows then is how full.
      if (way.traffic === 'strict' && answer.wholeMs > lateMs) await setTimeout(answer.wholeMs);
      traces[index] = { trace: await recorder.traceOf(id), positive: prompt.positive, group: prompt.group };
    }
  };
  await Promise.all(Array.from({ length: way.lanes }, lane));
  await recorder.stop();
  await enclave.stop();
  const whole = traces.filter((trace) => trace !== undefined);
  note(`${whole.length} answers of ${way.name}`);
  return {
    traces: whole,
    bytes: mean(whole.map(({ trace }) => trace.arrivals.reduce((sum, arrival) => sum + arrival.bytes, 0))),
    plainBytes: mean(seen.map(({ plain }) => plain)),
    firstTokenMs: median(seen.map(({ first }) => first)),
    wholeMs: median(seen.map(({ whole: ms }) => ms)),
  };
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const figures = (value: number, digits = 3): string => value.toFixed(digits);
const intervalOf = (scored: readonly Scored[], of: (sample: readonly Scored[]) => number): [number, number] =>
  bootstrapInterval(scored, of, { rounds: 400, random: randomFrom(7) });
const written = (value: number, [low, high]: readonly [number, number]): string =>
  `${figures(value)} (${figures(low)} to ${figures(high)})`;
const interval = (scored: readonly Scored[], of: (sample: readonly Scored[]) => number): string =>
  written(of(scored), intervalOf(scored, of));

/** Tokens a second while streaming, over plain HTTP through the same relay, in turns; by how many stream. */
async function speedOf(world: World, brokerUrl: string): Promise<{ streams: number; ratio: number }[]> {
  const plain = await startPlain(defaultModel, 'triage', 0, sequences);
  try {
    const args = ['--broker', brokerUrl, '--sequences', String(sequences), '--traffic', 'strict'];
    const enclave = await world.start('enclave', args);
    const relay = await world.start('relay', ['--upstream', enclave.url]);
    const client = await clientOf(world, { url: relay.url });
    await client.verify();
    const ways = {
      plain: plainSend((await world.start('relay', ['--upstream', plain.url])).url),
      strict: sealedSend(client.fetch),
    };
    const measured: { streams: number; ratio: number }[] = [];
    for (const streams of [1, 8]) {
      const question = { model: 'triage', prompt: 'and '.repeat(90), max_tokens: streams > 1 ? 240 : 400 };
      const together = (send: Send) => async (): Promise<number> =>
        sampleOf(await Promise.all(Array.from({ length: streams }, () => ask(send, '/v1/completions', question))))
          .streaming;
      const taken = await alternate({ plain: together(ways.plain), strict: together(ways.strict) }, 5);
      measured.push({ streams, ratio: medianRatio(taken.strict, taken.plain) });
    }
    return measured;
  } finally {
    await plain.stop();
  }
}

const asked = prompts(wanted);
note(`${asked.length} notes`);
const world = await createWorld({ release: false });
try {
  const broker = await world.start('broker');
  print(
    '| traffic | attacker | AUC (95%) | AUPRC at 1:100 (95%) | precision at 1:10,000 | AUC, labels permuted (95%) |',
  );
  print('| --- | --- | --- | --- | --- | --- |');
  const costs: string[] = [];
  const verdict: string[] = [];
  const judge = (name: string, value: number, limit: number, met: boolean): void => {
    verdict.push(`| ${name} | ${figures(value)} | ${limit} | ${met ? 'met' : 'NOT met'} |`);
  };
  let first: Run | undefined;
  for (const way of ways) {
    const run = await record(world, broker.url, way, asked.slice(0, way.traces));
    first ??= run;
    const ratio = run.bytes / first.bytes;
    const overPlain = run.bytes / first.plainBytes;
    costs.push(
      `| ${way.name} | ${run.traces.length} | ${Math.round(run.bytes)} | ${figures(ratio, 2)} | ${figures(overPlain, 2)} | ${figures(run.firstTokenMs, 0)} | ${figures(run.wholeMs, 0)} |`,
    );
    const last = way === ways.at(-1);
    if (last && file !== undefined) writeFileSync(file, JSON.stringify(run.traces));
    for (const [name, learn] of Object.entries(attackers)) {
      const scored = attack(run.traces, learn, { seed: 1 });
      const area = intervalOf(scored, areaUnderRoc);
      const control = attack(run.traces, learn, { seed: 1, permute: true });
      print(
        `| ${way.name} | ${name} | ${written(areaUnderRoc(scored), area)} | ${interval(scored, (sample) => areaUnderPrecisionRecall(sample, 0.01))} | ${precisionAtRecall(scored, 1e-4, 0.2).toExponential(1)} | ${interval(control, areaUnderRoc)} |`,
      );
      if (!last) continue;
      const [, high] = area;
      judge(`${name}: upper bound of the AUC, at most`, high, goals.area, high <= goals.area);
      for (const share of [0.25, 0.5]) {
        const less = areaUnderRoc(attack(run.traces, learn, { seed: 1, share }));
        print(`| ${way.name}, learnt from ${share * 100}% | ${name} | ${figures(less)} | | | |`);
      }
    }
    if (last) judge('bytes over one sealed event a token, at most', ratio, goals.bytes, ratio <= goals.bytes);
    note(`judged ${way.name}`);
  }
  for (const { streams, ratio } of await speedOf(world, broker.url)) {
    judge(`tokens/s over plain HTTP, ${streams} streams, at least`, ratio, goals.speed, ratio >= goals.speed);
  }
  print(
    '\n| traffic | answers | bytes of an answer | over one sealed event a token | over one plain event a token | first token, ms | proved, ms |',
  );
  print('| --- | --- | --- | --- | --- | --- | --- |');
  for (const cost of costs) print(cost);
  print('\n| strict | measured | goal | |');
  print('| --- | --- | --- | --- |');
  for (const line of verdict) print(line);
  print('\nGuessing: AUC 0.5, AUPRC 0.01, precision 1.0e-4. Precision is at a fifth of the positives found.');
  print(`${figures((performance.now() - began) / 60_000, 1)} minutes.`);
} finally {
  await world.dispose();
}
process.exit();
