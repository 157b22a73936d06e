// Time to first token after start, sealed over plain: from the spawn of the enclave process (broker running, release
// published, machine and TEE up) to the first token that a client reads, who verifies the enclave first; over a plain
// server process that loads the same model from a plain file. Both behind a relay that is up already.
// Run: npm run bench:start [-- rounds]
import { spawn } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createClient, type ClientPolicy } from '@fastness/client';
import { homeAt } from '../apps/cli/src/support/home.ts';
import { enclaveMain } from '../apps/cli/src/support/image.ts';
import { simulatedTeeCommand } from '../apps/cli/src/support/simulated.ts';
import { mustRun } from '../attacks/support/cli.ts';
import { clientPolicyOf } from '../attacks/support/client.ts';
import { createWorld, defaultModel, type World } from '../attacks/support/world.ts';
import { ask, plainSend, sealedSend, type Send } from './completions.ts';
import { startPlain } from './plain-process.ts';
import { alternate, median, medianRatio, printFigures, printParts } from './support.ts';

const rounds = Number(process.argv[2] ?? 7);
const modelId = 'triage';
const question = {
  model: modelId,
  messages: [{ role: 'user', content: '72F c/o chest pain since this morning. Denies SOB. BP 84/52.' }],
};
const firstToken = async (send: Send): Promise<number> =>
  (await ask(send, '/v1/chat/completions', question)).firstTokenMs;

/** Milliseconds of the parts of a sealed start, in their order. */
interface SealedStart {
  readonly process: number;
  readonly checks: number;
  readonly attest: number;
  readonly release: number;
  readonly open: number;
  readonly load: number;
  readonly verify: number;
  readonly answer: number;
  readonly whole: number;
}

/** A port that was free a moment ago: the relay has to know it before the server behind it starts. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The machine's TEE, up before the enclave as a security processor is, so its measuring is not counted. */
async function startTee(world: World): Promise<{ socketPath: string; stop(): void }> {
  const socketPath = join(world.home, 'run', 'bench.sock');
  const { file, args } = simulatedTeeCommand(homeAt(world.home), { socket: socketPath });
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (line.includes('measurement')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`The simulated TEE ended with ${code}.`)));
  });
  return { socketPath, stop: () => void child.kill() };
}

async function sealedStart(options: {
  configFile: string;
  relayUrl: string;
  policy: ClientPolicy;
}): Promise<SealedStart> {
  const at = new Map<string, number>();
  const started = performance.now();
  const child = spawn(process.execPath, [...process.execArgv, enclaveMain, options.configFile], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // The enclave refuses any other variable.
    env: { PATH: process.env['PATH'] },
  });
  try {
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stderr }).on('line', (line) => {
        const { event, code } = JSON.parse(line) as { event: string; code?: string };
        if (!at.has(event)) at.set(event, performance.now());
        if (event === 'serving') resolve();
        if (event === 'ended') reject(new Error(`The enclave ended: ${code}`));
      });
      child.once('exit', (code) => reject(new Error(`The enclave ended with ${code}.`)));
    });
    const client = createClient({ url: options.relayUrl, policy: options.policy });
    await client.verify();
    const verified = performance.now();
    const answer = await firstToken(sealedSend(client.fetch));
    const when = (event: string): number => at.get(event) ?? Number.NaN;
    return {
      process: when('listening') - started,
      checks: when('waiting-for-broker') - when('listening'),
      attest: when('attested') - when('waiting-for-broker'),
      release: when('opening') - when('attested'),
      open: when('opened') - when('opening'),
      load: when('serving') - when('opened'),
      verify: verified - when('serving'),
      answer,
      whole: verified + answer - started,
    };
  } finally {
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
  }
}

async function plainStart(port: number, relayUrl: string): Promise<number> {
  const started = performance.now();
  const plain = await startPlain(defaultModel, modelId, port);
  const serving = performance.now();
  try {
    return serving - started + (await firstToken(plainSend(relayUrl)));
  } finally {
    await plain.stop();
  }
}

const world = await createWorld();
const tee = await startTee(world);
try {
  const broker = await world.start('broker');
  await mustRun(world.home, ['publish', '--url', broker.url]);
  const [enclavePort, plainPort] = [await freePort(), await freePort()];
  const behind = async (port: number): Promise<string> =>
    (await world.start('relay', ['--upstream', `http://127.0.0.1:${port}`])).url;
  const [sealedRelay, plainRelay] = [await behind(enclavePort), await behind(plainPort)];
  const policy = await clientPolicyOf(world);
  const configFile = join(world.home, 'run', 'bench.json');
  await writeFile(
    configFile,
    JSON.stringify({
      listen: { port: enclavePort },
      brokerUrl: broker.url,
      modelDir: world.modelDir,
      evidence: { kind: 'simulated', socketPath: tee.socketPath },
    }),
  );
  const { sealed, plain } = await alternate<'sealed' | 'plain', SealedStart | number>(
    {
      sealed: async () => sealedStart({ configFile, relayUrl: sealedRelay, policy }),
      plain: async () => plainStart(plainPort, plainRelay),
    },
    rounds,
  );
  const starts = sealed as SealedStart[];
  const plains = plain as number[];
  const part = (key: keyof SealedStart): number => median(starts.map((one) => one[key]));
  printFigures(`Start, medians of ${rounds} rounds`, [
    {
      name: 'spawn to first token',
      value: part('whole'),
      against: 'plain server and plain file',
      reference: median(plains),
      unit: 'ms',
      ratio: medianRatio(
        starts.map((one) => one.whole),
        plains,
      ),
    },
  ]);
  printParts('of which, sealed', 'ms', {
    'process up, hardened, listening': part('process'),
    'engine found, sealed files checked, TEE found': part('checks'),
    'keys, evidence': part('attest'),
    'key release': part('release'),
    'model opened in memory': part('open'),
    'engine loaded, serving': part('load'),
    'client fetches and verifies the evidence': part('verify'),
    'request to first token': part('answer'),
  });
} finally {
  tee.stop();
  await world.dispose();
}
