// What sizes and times of encrypted answers tell about their topic: real runs of the default model, recorded at the relay, once
// for every traffic profile, and classifiers that are trained on just that traffic. Splits are by note, intervals are a
// bootstrap over notes, and labels that were dealt out anew show what chance finds. Run: npm run bench:leakage [-- traces]
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
import { clientOf } from '../attacks/support/client.ts';
import { mustRun } from '../attacks/support/cli.ts';
import { createWorld, type World } from '../attacks/support/world.ts';
import { ask, sealedSend } from './completions.ts';
import { median } from './support.ts';

const wanted = Number(process.argv[2] ?? 3000);

interface Way {
  readonly name: string;
  readonly args: readonly string[];
  /** Streams at a time: few where the engine is the bottleneck, more where answers wait for their frames. */
  readonly lanes: number;
  readonly traces: number;
}

const ways: readonly Way[] = [
  {
    name: 'off, 1 token an event',
    args: ['--traffic', 'off', '--tokens-per-event', '1', '--gather-ms', '0'],
    lanes: 2,
    traces: wanted / 3,
  },
  { name: 'off, 8 tokens an event', args: ['--traffic', 'off'], lanes: 2, traces: wanted / 3 },
  { name: 'balanced', args: ['--traffic', 'balanced'], lanes: 4, traces: wanted / 2 },
  { name: 'strict', args: ['--traffic', 'strict'], lanes: 12, traces: wanted },
];

interface Run {
  readonly traces: readonly Labelled[];
  readonly bytes: number;
  readonly firstTokenMs: number;
  readonly wholeMs: number;
}

/** Asks all prompts through a recording relay; lanes take turns at the list. */
async function record(world: World, brokerUrl: string, way: Way, asked: readonly Prompt[]): Promise<Run> {
  const enclave = await world.start('enclave', ['--broker', brokerUrl, ...way.args]);
  const recorder = await startRecorder(enclave.url);
  const traces: (Labelled | undefined)[] = [];
  const firsts: number[] = [];
  const wholes: number[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    let id = '';
    const client = await clientOf(world, { url: recorder.url, fetch: recorder.fetchAs(() => id) });
    await client.verify();
    const send = sealedSend(client.fetch);
    for (let index = next++; index < asked.length; index = next++) {
      const prompt = asked[index];
      if (prompt === undefined) return;
      id = String(index);
      const answer = await ask(send, '/v1/chat/completions', {
        model: 'triage',
        messages: [{ role: 'user', content: prompt.text }],
        max_tokens: 96,
      });
      firsts.push(answer.firstTokenMs);
      wholes.push(answer.wholeMs);
      traces[index] = { trace: await recorder.traceOf(id), positive: prompt.positive, group: prompt.group };
    }
  };
  await Promise.all(Array.from({ length: way.lanes }, lane));
  await recorder.stop();
  await enclave.stop();
  const whole = traces.filter((trace) => trace !== undefined);
  const bytes = whole.map(({ trace }) => trace.arrivals.reduce((sum, arrival) => sum + arrival.bytes, 0));
  return {
    traces: whole,
    bytes: bytes.reduce((sum, each) => sum + each, 0) / bytes.length,
    firstTokenMs: median(firsts),
    wholeMs: median(wholes),
  };
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const figures = (value: number, digits = 3): string => value.toFixed(digits);
const interval = (scored: readonly Scored[], of: (sample: readonly Scored[]) => number): string => {
  const [low, high] = bootstrapInterval(scored, of, { rounds: 400, random: randomFrom(7) });
  return `${figures(of(scored))} (${figures(low)} to ${figures(high)})`;
};

const world = await createWorld();
try {
  const broker = await world.start('broker');
  await mustRun(world.home, ['publish', '--url', broker.url]);
  print('| traffic | attacker | AUC (95%) | AUPRC at 1:100 (95%) | precision at 1:10,000 | AUC, labels permuted |');
  print('| --- | --- | --- | --- | --- | --- |');
  const costs: string[] = [];
  let perToken: number | undefined;
  for (const way of ways) {
    const run = await record(world, broker.url, way, prompts(Math.round(way.traces)));
    perToken ??= run.bytes;
    costs.push(
      `| ${way.name} | ${run.traces.length} | ${Math.round(run.bytes)} | ${figures(run.bytes / perToken, 2)} | ${figures(run.firstTokenMs, 0)} | ${figures(run.wholeMs, 0)} |`,
    );
    for (const [name, learn] of Object.entries(attackers)) {
      const scored = attack(run.traces, learn, { seed: 1 });
      const control = attack(run.traces, learn, { seed: 1, permute: true });
      print(
        `| ${way.name} | ${name} | ${interval(scored, areaUnderRoc)} | ${interval(scored, (sample) => areaUnderPrecisionRecall(sample, 0.01))} | ${precisionAtRecall(scored, 1e-4, 0.2).toExponential(1)} | ${interval(control, areaUnderRoc)} |`,
      );
    }
    if (way === ways.at(-1)) {
      for (const share of [0.25, 0.5]) {
        const scored = Object.values(attackers).map((learn) => attack(run.traces, learn, { seed: 1, share }));
        const areas = scored.map((each) => figures(areaUnderRoc(each))).join(' and ');
        print(`| ${way.name}, learnt from ${share * 100}% | both | ${areas} | | | |`);
      }
    }
  }
  print('\n| traffic | answers | bytes of an answer | over one event a token | first token, ms | proved, ms |');
  print('| --- | --- | --- | --- | --- | --- |');
  for (const cost of costs) print(cost);
  print('\nGuessing: AUC 0.5, AUPRC 0.01, precision 1.0e-4. Precision is at a fifth of the positives found.');
} finally {
  await world.dispose();
}
process.exit();
