// Streamed answers through client, relay and enclave, encrypted and with receipts, over the bare engine behind plain HTTP
// and the same relay. Every server is a process of its own, started as a user would start it; both ways use the same
// engine, inner API and client code. Run: npm run bench:channel [-- rounds]
import { clientOf } from '../attacks/support/client.ts';
import { createWorld, defaultModel, startStack } from '../attacks/support/world.ts';
import { bareEngine } from './bare-engine.ts';
import { ask, plainSend, sealedSend, type Answer, type Send } from './completions.ts';
import { startPlain } from './plain-process.ts';
import { alternate, median, medianRatio, printFigures } from './support.ts';

const rounds = Number(process.argv[2] ?? 9);
const modelId = 'triage';
/** The model is made for one line; these send it round in circles, which is what a measurement of tokens needs. */
const longPrompts = ['5'.repeat(48), ','.repeat(48), 'and '.repeat(48)];
const longTokens = 400;
const streams = 4;
const note = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';

interface Sample {
  readonly tokensPerSecond: number;
  readonly concurrentTokensPerSecond: number;
  readonly firstTokenMs: number;
  readonly chatMs: number;
}

const long = async (send: Send, prompt = ''): Promise<Answer> => {
  const answer = await ask(send, '/v1/completions', { model: modelId, prompt, max_tokens: longTokens });
  // Sequences that share a batch round differently, so some end sooner.
  if (answer.tokens < longTokens / 2) throw new Error(`${answer.tokens} tokens for ${JSON.stringify(prompt)}`);
  return answer;
};

const rate = (answers: readonly Answer[], milliseconds: number): number =>
  answers.reduce((sum, { tokens }) => sum + tokens, 0) / (milliseconds / 1e3);

const sample = (send: Send) => async (): Promise<Sample> => {
  const answers: Answer[] = [];
  for (const prompt of longPrompts) answers.push(await long(send, prompt));
  const wholeMs = answers.reduce((sum, answer) => sum + answer.wholeMs, 0);
  const started = performance.now();
  const together = await Promise.all(
    Array.from({ length: streams }, async (_, index) => long(send, longPrompts[index % longPrompts.length])),
  );
  const togetherMs = performance.now() - started;
  const chats: Answer[] = [];
  for (let count = 0; count < 5; count += 1) {
    chats.push(
      await ask(send, '/v1/chat/completions', { model: modelId, messages: [{ role: 'user', content: note }] }),
    );
  }
  return {
    tokensPerSecond: rate(answers, wholeMs),
    concurrentTokensPerSecond: rate(together, togetherMs),
    firstTokenMs: median(chats.map(({ firstTokenMs }) => firstTokenMs)),
    chatMs: median(chats.map((chat) => chat.wholeMs)),
  };
};

const world = await createWorld();
const plain = await startPlain(defaultModel, modelId);
try {
  const { relay } = await startStack(world);
  const plainRelay = await world.start('relay', ['--upstream', plain.url]);
  const client = await clientOf(world, { url: relay.url });
  await client.verify();
  const engine = await bareEngine(defaultModel);

  const { sealed, bare } = await alternate(
    { sealed: sample(sealedSend(client.fetch)), bare: sample(plainSend(plainRelay.url)) },
    rounds,
  );
  const { floor } = await alternate({ floor: async () => engine.tokensPerSecond(longPrompts, longTokens) }, rounds);

  const figure = (name: string, key: keyof Sample, unit: string, goal?: string) => {
    const values = sealed.map((one) => one[key]);
    const references = bare.map((one) => one[key]);
    return {
      name,
      value: median(values),
      against: 'bare engine over HTTP',
      reference: median(references),
      unit,
      ratio: medianRatio(values, references),
      ...(goal === undefined ? {} : { goal }),
    };
  };
  printFigures(`Streamed answers through the channel, medians of ${rounds} rounds`, [
    figure(`tokens, one stream of ${longTokens}`, 'tokensPerSecond', 'tokens/s', '>= 0.97'),
    figure(`tokens, ${streams} streams of ${longTokens}`, 'concurrentTokensPerSecond', 'tokens/s', '>= 0.97'),
    figure('time to first token, chat', 'firstTokenMs', 'ms'),
    figure('whole chat answer, one line', 'chatMs', 'ms'),
    {
      name: 'channel against the floor, one stream',
      value: median(sealed.map((one) => one.tokensPerSecond)),
      against: 'engine in this process',
      reference: median(floor),
      unit: 'tokens/s',
    },
  ]);
} finally {
  await plain.stop();
  await world.dispose();
}
process.exit();
