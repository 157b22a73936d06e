// What the traffic profiles cost: streams through client, relay and enclave, once for each profile, over the same engine behind
// plain HTTP and the same relay, behind a plain TLS proxy, and through the published client of EHBP. 1, 8 and 32 streams, in turns. Run: npm run bench:traffic [-- rounds]
import { clientOf } from '../attacks/support/client.ts';
import { mustRun } from '../attacks/support/cli.ts';
import { createWorld, defaultModel } from '../attacks/support/world.ts';
import { ask, plainSend, sampleOf, sealedSend, type Sample, type Send } from './completions.ts';
import { ehbpSend } from './ehbp.ts';
import { enclaveBelow, factsOf } from './enclave-process.ts';
import { startPlain } from './plain-process.ts';
import { alternate, median, medianRatio } from './support.ts';
import { startTlsProxy } from './tls-proxy.ts';

const rounds = Number(process.argv[2] ?? 4);
const profiles = ['off', 'balanced', 'strict'] as const;
const goals: Readonly<Record<string, number>> = { off: 0.98, balanced: 0.97, strict: 0.95 };
const counts = [1, 8, 32];
const sequences = 32;
const idleSessions = 200;
/** Sends the model round in circles, in a batch as well. */
const question = { model: 'triage', prompt: 'and '.repeat(90) };
/** Tokens of one stream: fewer where many share the engine. */
const tokensFor = (count: number): number => (count > 8 ? 100 : count > 1 ? 240 : 400);

const together = (send: Send, count: number) => async (): Promise<Sample> =>
  sampleOf(
    await Promise.all(
      Array.from({ length: count }, async () =>
        ask(send, '/v1/completions', { ...question, max_tokens: tokensFor(count) }),
      ),
    ),
  );

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const world = await createWorld();
const plain = await startPlain(defaultModel, 'triage', 0, sequences);
const tls = await startTlsProxy(plain.url);
try {
  const broker = await world.start('broker');
  await mustRun(world.home, ['publish', '--url', broker.url]);
  const ways: Record<string, Send> = {
    'plain HTTP, same relay': plainSend((await world.start('relay', ['--upstream', plain.url])).url),
    ...(tls === undefined ? {} : { 'plain TLS proxy': tls.send }),
  };
  let idle = '';
  for (const profile of profiles) {
    const adapter = profile === 'off' ? ['--adapter', 'ehbp'] : [];
    const args = ['--broker', broker.url, '--traffic', profile, '--sequences', String(sequences), ...adapter];
    const enclave = await world.start('enclave', args);
    const relay = await world.start('relay', ['--upstream', enclave.url]);
    const client = await clientOf(world, { url: relay.url });
    const { keyConfig } = await client.verify();
    ways[profile] = sealedSend(client.fetch);
    const peer = profile === 'off' ? await ehbpSend(enclave.url, keyConfig) : undefined;
    if (peer !== undefined) ways['ehbp (npm), no relay, profile off'] = peer;
    if (profile === 'strict') {
      const pid = enclaveBelow(Number(enclave.cli.events.find((event) => event['event'] === 'listening')?.['pid']));
      const direct = await clientOf(world, { url: enclave.url });
      for (let count = 0; count < 20; count += 1) await direct.verify();
      const before = factsOf(pid).residentMiB;
      const clients = await Promise.all(
        Array.from({ length: idleSessions }, () => clientOf(world, { url: enclave.url })),
      );
      await Promise.all(clients.map((each) => each.verify()));
      const kib = ((factsOf(pid).residentMiB - before) * 1024) / idleSessions;
      idle = `Memory of the enclave for one verified client that waits: ${kib.toFixed(1)} KiB (${idleSessions} of them, connections included)`;
    }
  }
  print(
    '| streams | way | tokens/s while streaming | ratio | tokens/s from sending | first token, ms | last text to proved, ms |',
  );
  print('| --- | --- | --- | --- | --- | --- | --- |');
  for (const count of counts) {
    const contenders = Object.fromEntries(Object.entries(ways).map(([name, send]) => [name, together(send, count)]));
    const samples = await alternate(contenders, rounds);
    const reference = (samples['plain HTTP, same relay'] ?? []).map(({ streaming }) => streaming);
    for (const [name, taken] of Object.entries(samples)) {
      const of = (key: keyof Sample): number => median(taken.map((sample) => sample[key]));
      const ratio = medianRatio(
        taken.map(({ streaming }) => streaming),
        reference,
      );
      const goal = goals[name] === undefined ? '' : ` (goal ${goals[name]})`;
      print(
        `| ${count} | ${name} | ${of('streaming').toFixed(0)} | ${ratio.toFixed(3)}${goal} | ${of('overall').toFixed(0)} | ${of('firstTokenMs').toFixed(0)} | ${of('provedMs').toFixed(0)} |`,
      );
    }
  }
  print(idle);
} finally {
  await tls?.stop();
  await plain.stop();
  await world.dispose();
}
process.exit();
