// Streamed answers through client, relay and enclave, encrypted and with receipts, over the bare engine behind plain HTTP
// and the same relay. Every server is a process of its own, started as a user would start it; both ways use the same
// engine, inner API and client code. The channel runs with its defaults: it gathers what follows a chunk within 20 ms,
// where plain HTTP writes every frame of 8 tokens as it comes. Run: npm run bench:channel [-- rounds]
import { clientOf } from '../attacks/support/client.ts';
import { createWorld, defaultModel, startStack } from '../attacks/support/world.ts';
import { bareEngine } from './bare-engine.ts';
import { ask, plainSend, sealedSend, type Answer, type Send } from './completions.ts';
import { startPlain } from './plain-process.ts';
import { alternate, median, medianRatio, printFigures, type Figure } from './support.ts';

const rounds = Number(process.argv[2] ?? 15);
const modelId = 'triage';
/** The model is made for one line; these send it round in circles, which is what a measurement of tokens needs. */
const longPrompts = ['5'.repeat(48), ','.repeat(48), 'and '.repeat(48)];
/** For sequences in one batch, which round differently from one alone: this one goes on all the same. */
const sharedPrompt = 'and '.repeat(90);
const longTokens = 400;
const streams = 4;
const note = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';

const long = async (send: Send, prompt = ''): Promise<Answer> => {
  const answer = await ask(send, '/v1/completions', { model: modelId, prompt, max_tokens: longTokens });
  if (answer.tokens < longTokens * 0.9) throw new Error(`${answer.tokens} tokens for ${JSON.stringify(prompt)}`);
  return answer;
};

const rate = (answers: readonly Answer[], milliseconds: number): number =>
  answers.reduce((sum, { tokens }) => sum + tokens, 0) / (milliseconds / 1e3);

/** Tokens a second, and CPU time of this process (the client in all its threads) a token, microseconds. */
interface Sample {
  readonly rate: number;
  readonly cpuUs: number;
}

const one = (send: Send, prompt: string) => async (): Promise<Sample> => {
  const before = process.cpuUsage();
  const answer = await long(send, prompt);
  const { user, system } = process.cpuUsage(before);
  return { rate: rate([answer], answer.wholeMs), cpuUs: (user + system) / answer.tokens };
};

const together = (send: Send) => async (): Promise<number> => {
  const started = performance.now();
  const answers = await Promise.all(Array.from({ length: streams }, async () => long(send, sharedPrompt)));
  return rate(answers, performance.now() - started);
};

const chat = (send: Send) => async (): Promise<Answer> =>
  ask(send, '/v1/chat/completions', { model: modelId, messages: [{ role: 'user', content: note }] });

interface Pairs {
  readonly sealed: Sample[];
  readonly plain: Sample[];
  readonly floor: Sample[];
}

const world = await createWorld();
const plain = await startPlain(defaultModel, modelId);
try {
  const { relay } = await startStack(world);
  const plainRelay = await world.start('relay', ['--upstream', plain.url]);
  const client = await clientOf(world, { url: relay.url });
  await client.verify();
  const engine = await bareEngine(defaultModel);

  const sealedWay = sealedSend(client.fetch);
  const plainWay = plainSend(plainRelay.url);
  // Requests take turns one by one: other work on the machine comes and goes within seconds.
  const ones: Pairs = { sealed: [], plain: [], floor: [] };
  for (const prompt of longPrompts) {
    const samples = await alternate(
      {
        sealed: one(sealedWay, prompt),
        plain: one(plainWay, prompt),
        floor: async () => ({ rate: await engine.tokensPerSecond([prompt], longTokens), cpuUs: 0 }),
      },
      rounds,
    );
    for (const name of ['sealed', 'plain', 'floor'] as const) ones[name].push(...samples[name]);
  }
  const many = await alternate({ sealed: together(sealedWay), plain: together(plainWay) }, rounds);
  const chats = await alternate({ sealed: chat(sealedWay), plain: chat(plainWay) }, rounds * 4);

  const figure = (name: string, values: number[], references: number[], unit: string, goal?: string): Figure => ({
    name,
    value: median(values),
    against: 'bare engine over HTTP',
    reference: median(references),
    unit,
    ratio: medianRatio(values, references),
    ...(goal === undefined ? {} : { goal }),
  });
  const times = (key: 'firstTokenMs' | 'wholeMs'): [number[], number[]] => [
    chats.sealed.map((answer) => answer[key]),
    chats.plain.map((answer) => answer[key]),
  ];
  const rates = (samples: Sample[]): number[] => samples.map((sample) => sample.rate);
  const cpu = (samples: Sample[]): number[] => samples.map((sample) => sample.cpuUs);
  printFigures(`Streamed answers through the channel, medians of ${rounds} rounds`, [
    figure(`one stream of ${longTokens} tokens`, rates(ones.sealed), rates(ones.plain), 'tokens/s', '>= 0.97'),
    figure(`${streams} streams of ${longTokens} tokens`, many.sealed, many.plain, 'tokens/s', '>= 0.97'),
    figure('time to first token, chat', ...times('firstTokenMs'), 'ms'),
    figure('whole chat answer, one line', ...times('wholeMs'), 'ms'),
    figure('CPU time of the client, a token of one stream', cpu(ones.sealed), cpu(ones.plain), 'µs'),
    {
      ...figure('one stream, over the floor', rates(ones.sealed), rates(ones.floor), 'tokens/s'),
      against: 'engine in this process',
    },
  ]);
} finally {
  await plain.stop();
  await world.dispose();
}
process.exit();
