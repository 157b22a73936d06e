// Boots the measured image in an emulated machine (UEFI, TPM 2.0, no TEE) and asks it something: its registers must be those
// that were computed from the image without booting it, and any other image, command line or release gets no key.
// Run: npm run test:boot [-- --kernel-package NAME] [--dhcp]   (Debian: qemu-system-x86 ovmf swtpm; a minute or two on a quiet
// machine). With --dhcp the guest gets its address from the network and its broker by name; takes port 53, so root in most places.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { predictUki, type PredictedRegisters } from '@fastness/attest/reference-values';
import { fromHex, utf8Encode } from '@fastness/codec';
import { encodeRuntimeEvent, openTpmCollector, RUNTIME_PCR } from '@fastness/evidence';
import { writeModelDisk } from '@fastness/model/disk';
import { startSwtpm } from '@fastness/testkit';
import { mustRun } from '../../attacks/support/cli.ts';
import { createWorld, signAndApprove, type World } from '../../attacks/support/world.ts';
import { bootDisk } from './boot-disk.ts';
import { buildImage, PACKAGES, type Image, type ImageOptions } from './build.ts';
import { fetchDebianKernel, fetchDebianStub } from './debian-kernel.ts';
import { startMachine, type Machine } from './machine.ts';
import { answerName } from './name-answer.ts';
import { buildUki } from './uki.ts';

const ENCLAVE_PORT = 7802;
const BROKER_NAME = 'broker.fastness.test';
/** This machine, as guests of QEMU's own network see it. */
const OUTSIDE = '10.0.2.2';
const NAME_SERVER = '127.0.0.53';
/** A boot takes some 25 s of one core under emulation; a busy machine needs many times that. */
const PATIENCE = 600_000;
const started = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'fastness-boot-'));
const machines: Machine[] = [];
let failures = 0;

function say(text: string): void {
  process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}

function check(what: string, holds: boolean, detail = ''): void {
  if (!holds) failures += 1;
  say(`${holds ? 'ok     ' : 'FAILED '} ${what}${detail === '' ? '' : `: ${detail}`}`);
}

async function main(): Promise<void> {
  const brokerPort = await freePort();
  const { values } = parseArgs({
    options: { 'kernel-package': { type: 'string' }, dhcp: { type: 'boolean', default: false } },
  });
  const resolver = values.dhcp ? await startNameServer() : undefined;
  const kernel = fetchDebianKernel(PACKAGES, values['kernel-package']);
  say(`kernel ${kernel.release}`);
  const options: ImageOptions = {
    kernel,
    stub: new Uint8Array(readFileSync(fetchDebianStub(PACKAGES))),
    engine: 'llama',
    settings: {
      modelDisk: '/dev/vda',
      modelMiB: 64,
      network: values.dhcp
        ? { interface: 'eth0', dhcp: true }
        : { interface: 'eth0', address: '10.0.2.15', prefix: 24, gateway: OUTSIDE },
    },
    config: {
      listen: { host: '0.0.0.0', port: ENCLAVE_PORT },
      brokerUrl: `http://${values.dhcp ? BROKER_NAME : OUTSIDE}:${brokerPort}`,
      modelDir: '/model',
      // The default model's context, and no more than one core can serve.
      engine: { sequences: 1, contextLength: 512 },
    },
  };
  say('building the image twice');
  const image = await buildImage(options);
  const again = await buildImage(options);
  check('built twice, byte for byte the same', Buffer.compare(image.uki, again.uki) === 0, image.facts.uki.sha256);
  const predicted = await predictUki(image.uki);

  const { state: tpmState, attestationKey } = await provisionTpm();
  say(`the TPM's attestation key: ${attestationKey}`);
  const world = await createWorld({ release: false });
  try {
    const { releaseDigest } = await signAndApprove(world, ['--measurement', `tpm:${predicted.pcrs['4'] ?? ''}`]);
    await writePolicies(world, attestationKey, predicted, runtimeEvents(image, releaseDigest));
    const modelDisk = join(folder, 'model.img');
    await writeModelDisk({ directory: world.modelDir, target: modelDisk });
    const broker = await world.start('broker', ['--listen', `http://127.0.0.1:${brokerPort}`]);
    await mustRun(world.home, ['publish', '--url', broker.url]);
    const boot = async (name: string, uki: Uint8Array, disk = modelDisk): Promise<[Machine, string]> => {
      const own = join(folder, name);
      mkdirSync(own);
      const path = join(own, 'boot.img');
      writeFileSync(path, bootDisk(uki));
      const port = await freePort();
      const machine = await startMachine({
        folder: own,
        tpmState,
        bootDisk: path,
        modelDisk: disk,
        port,
        enclavePort: ENCLAVE_PORT,
        ...(resolver === undefined ? {} : { resolver }),
      });
      machines.push(machine);
      return [machine, `http://127.0.0.1:${port}`];
    };
    await goodBoot(world, image, boot);
    await badBoots({ world, options, image, predicted, boot, modelDisk });
  } finally {
    await world.dispose();
  }
}

/** A name server that knows the broker, and the resolv.conf that names it. */
async function startNameServer(): Promise<string> {
  const server = createSocket('udp4');
  server.on('message', (query, { port, address }) => {
    if (query.includes(BROKER_NAME.split('.')[0] ?? '')) server.send(answerName(query, OUTSIDE), port, address);
  });
  server.bind(53, NAME_SERVER);
  await once(server, 'listening');
  server.unref();
  const path = join(folder, 'resolv.conf');
  writeFileSync(path, `nameserver ${NAME_SERVER}\n`);
  return path;
}

type Boot = (name: string, uki: Uint8Array, disk?: string) => Promise<[Machine, string]>;

/** The image as it was built: key, lease, an answer that only the guest could read. */
async function goodBoot(world: World, image: Image, boot: Boot): Promise<void> {
  const begun = performance.now();
  const [machine, url] = await boot('good', image.uki);
  await machine.waitFor(({ event }) => event === 'machine-ready', PATIENCE);
  const own = performance.now() - begun;
  const network = machine.console.find((line) => line.includes('"event":"network"'));
  if (network !== undefined) say(network.slice(network.indexOf('{')));
  say(`the guest's own program runs, ${seconds(begun)} s after power-on`);
  await machine.waitFor(({ event }) => event === 'serving', PATIENCE);
  check(
    'the broker accepted the quote, its log and the computed registers',
    true,
    `${seconds(begun)} s after power-on`,
  );
  const verified = await mustRun(world.home, ['verify', url]);
  check('fastness verify accepts the guest', verified.exitCode === 0);
  const chat = await mustRun(world.home, ['chat', '--url', url], '72F c/o chest pain since this morning. BP 84/52.');
  const answer = chat.events.find(({ event }) => event === 'result');
  check('an encrypted prompt is answered', chat.exitCode === 0, `${seconds(begun)} s after power-on, with a receipt`);
  const times = ((performance.now() - begun) / own).toFixed(2);
  say(`power-on to the first verified answer: ${times} times power-on to the guest's own program`);
  if (answer !== undefined) say(JSON.stringify(answer).slice(0, 300));
  await machine.stop();
}

/** Everything that must not get the key, each by a boot of its own; two at a time, one a core. */
async function badBoots(given: {
  readonly world: World;
  readonly options: ImageOptions;
  readonly image: Image;
  readonly predicted: PredictedRegisters;
  readonly boot: Boot;
  readonly modelDisk: string;
}): Promise<void> {
  const { options, image, boot } = given;
  const other = await buildImage({ ...options, settings: { ...options.settings, modelMiB: 65 } });
  const release = join(folder, 'release.img');
  writeFileSync(release, changed(readFileSync(given.modelDisk), '"fastness/release/v1"', '"fastness/release/v2"'));
  const cases: readonly [name: string, uki: Uint8Array, code: string, event: string, disk?: string][] = [
    ['the kernel', withSection(options, image, '.linux', flipped), 'TPM_MEASUREMENT_NOT_ALLOWED', '.linux'],
    ['the archive', other.uki, 'TPM_MEASUREMENT_NOT_ALLOWED', '.initrd'],
    [
      'the command line',
      withSection(options, image, '.cmdline', (line) => changed(line, 'loglevel=4', 'loglevel=5')),
      'TPM_MEASUREMENT_NOT_ALLOWED',
      '.cmdline',
    ],
    ['the release', image.uki, 'RELEASE_', '', release],
  ];
  const run = async ([name, uki, code, event, disk]: (typeof cases)[number]): Promise<void> => {
    const [machine] = await boot(name.replaceAll(' ', '-'), uki, disk);
    // The enclave says why it stopped, and the first process says it again; into that the kernel may write that it powers down.
    const tells = ({ level, event: what, code: why }: Readonly<Record<string, unknown>>): boolean =>
      why !== undefined && (level === 'error' || what === 'stopped');
    const end = await machine.waitFor(tells, PATIENCE);
    const detail = typeof end['detail'] === 'string' ? end['detail'] : '';
    const named = event === '' || (await isNamed(given, event, detail));
    check(
      `one byte of ${name} changed: refused`,
      String(end['code']).startsWith(code) && named,
      `${String(end['code'])} ${detail.slice(0, 600)}`,
    );
    await machine.stop();
  };
  const queue = [...cases];
  await Promise.all(
    [0, 1].map(async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await run(next);
    }),
  );
}

/** Whether what the broker said names the event of register 11 that stands for this section, and no other of them. */
async function isNamed(
  given: { readonly predicted: PredictedRegisters },
  event: string,
  detail: string,
): Promise<boolean> {
  const place = given.predicted.names['11']?.indexOf(event) ?? -1;
  const digest = given.predicted.events['11']?.[place] ?? 'none';
  return detail.includes(digest);
}

function flipped(kernel: Uint8Array): Uint8Array {
  // In a message of the real-mode code, which nothing runs under UEFI.
  return changed(kernel, 'No setup signature', 'No setup sign4ture');
}

function withSection(
  options: ImageOptions,
  image: Image,
  name: string,
  edit: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  return buildUki(
    options.stub,
    image.sections.map((section) => (section.name === name ? { name, bytes: edit(section.bytes) } : section)),
  );
}

function changed(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const copy = Buffer.from(bytes);
  const at = copy.indexOf(utf8Encode(from));
  if (at < 0 || from.length !== to.length) throw new Error(`${from} is not there.`);
  copy.write(to, at, 'latin1');
  return new Uint8Array(copy);
}

/** Gives the TPM its first start, and returns the key that policies pin, as an owner does when a machine is taken into use. */
async function provisionTpm(): Promise<{ readonly state: string; readonly attestationKey: string }> {
  const emulator = await startSwtpm(join(folder, 'tpm'));
  const collector = await openTpmCollector({ path: emulator.socketPath, eventLogPath: undefined });
  const attestationKey = await collector.attestationKey();
  await collector.close();
  await emulator.kill();
  return { state: emulator.stateDirectory, attestationKey };
}

function runtimeEvents(image: Image, releaseDigest: string): string[] {
  const configuration = image.facts.contents['etc/fastness/enclave.json'] ?? '';
  return [
    encodeRuntimeEvent({ kind: 'configuration', digest: fromHex(configuration) }),
    encodeRuntimeEvent({ kind: 'release', digest: fromHex(releaseDigest) }),
  ].map((event) => createHash('sha256').update(event).digest('hex'));
}

async function writePolicies(
  world: World,
  attestationKey: string,
  predicted: PredictedRegisters,
  runtime: readonly string[],
): Promise<void> {
  const tpm = {
    attestationKeys: [attestationKey],
    measurementPcr: 4,
    measurements: 'from-release',
    pcrs: { 9: [predicted.pcrs['9']], 11: [predicted.pcrs['11']] },
    events: { ...predicted.events, [RUNTIME_PCR]: runtime },
    eventLog: 'required',
    eventLogPcrs: [0, 1, 2, 3, 4, 5, 6, 7, 9, 11, RUNTIME_PCR],
    // The emulator is started anew for each boot without having been shut down.
    safeClock: 'any',
  };
  for (const file of ['policy/broker.json', 'policy/client.json']) {
    await world.editJson(file, (policy) => {
      policy['attestation'] = { version: 1, id: 'measured-boot', tpm, waivers: [] };
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

process.on('SIGINT', () => process.exit(130));
process.on('exit', () => {
  rmSync(folder, { recursive: true, force: true });
});
try {
  await main();
} catch (error) {
  failures += 1;
  say(String(error));
} finally {
  for (const machine of machines) await machine.stop();
}
say(failures === 0 ? 'all as it must be' : `${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
