// Boots emulated machines with UEFI and a TPM 2.0 (no TDX), once with a kernel that QEMU starts directly and once with a unified
// kernel image, and compares the SHA-384 events of their logs with the RTMRs that are computed from the files. Firmware maps
// TPM registers 2 to 6 to RTMR1 and 8 to 15 to RTMR2, so the events are the same; what runs here is the TPM's side of it.
// Run: npm run test:rtmr [-- --kernel-package NAME]   (Debian: qemu-system-x86 ovmf swtpm; a minute or two on a quiet machine)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { EV_NO_ACTION, eventTypeName, parseEventLog, type LogEvent } from '@fastness/attest/event-log';
import {
  predictDirectRtmrs,
  predictRuntimeRtmr,
  predictUkiRtmrs,
  rtmrPolicyOf,
  type PredictedRtmr,
  type PredictedRtmrs,
} from '@fastness/attest/reference-values';
import { utf8Encode } from '@fastness/codec';
import { bootDisk } from './boot-disk.ts';
import { PACKAGES } from './build.ts';
import { fileOf, systemEntries, withFolders } from './contents.ts';
import { writeCpio } from './cpio.ts';
import { fetchDebianKernel, fetchDebianStub } from './debian-kernel.ts';
import { packagesOf } from './engine-packages.ts';
import { guestProgram } from './guest-program.ts';
import { refusalOf, type TdEvent, type TdRuntime } from './td-evidence.ts';
import { buildUki } from './uki.ts';

const root = join(import.meta.dirname, '../..');
const PATIENCE_MS = 600_000;
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';
const COMMAND_LINE = 'console=ttyS0 panic=-1 loglevel=3';
/** TDVF writes one separator for all of these registers, and firmware with a TPM one for each. */
const SEPARATOR = 'EV_SEPARATOR';
const BOOT_PCR = 4;
const folder = mkdtempSync(join(tmpdir(), 'fastness-rtmr-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const started = performance.now();
let failures = 0;

function check(what: string, holds: boolean, detail = ''): void {
  if (!holds) failures += 1;
  const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
  process.stdout.write(`${seconds} s  ${holds ? 'ok     ' : 'FAILED '} ${what}${detail === '' ? '' : `: ${detail}`}\n`);
}

/** The log of one boot, as the kernel that was booted shows it. */
async function logOfBoot(name: string, args: readonly string[]): Promise<readonly LogEvent[]> {
  const own = join(folder, name);
  mkdirSync(join(own, 'tpm'), { recursive: true });
  copyFileSync(VARIABLES, join(own, 'variables'));
  const socket = join(own, 'tpm.sock');
  const tpm = spawn(
    'swtpm',
    // prettier-ignore
    ['socket', '--tpm2', '--tpmstate', `dir=${join(own, 'tpm')}`, '--ctrl', `type=unixio,path=${socket}`, '--flags', 'startup-clear'],
    { stdio: 'ignore' },
  );
  await once(tpm, 'spawn');
  const machine = spawn(
    'qemu-system-x86_64',
    // A machine of before 7.2: those of 7.2 add a seed to the kernel, which a trust domain's do not.
    // prettier-ignore
    [
      '-machine', 'pc-q35-7.1', '-accel', 'tcg', '-cpu', 'max,-cx16', '-m', '2048', '-smp', '1', '-no-reboot', '-nodefaults',
      '-display', 'none', '-serial', 'stdio', '-device', 'virtio-rng-pci',
      '-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`,
      '-drive', `if=pflash,format=raw,unit=1,file=${join(own, 'variables')}`,
      '-chardev', `socket,id=tpm,path=${socket}`, '-tpmdev', 'emulator,id=tpm0,chardev=tpm',
      '-device', 'tpm-crb,tpmdev=tpm0', ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const kill = (): void => {
    machine.kill('SIGKILL');
    tpm.kill('SIGKILL');
  };
  process.on('exit', kill);
  const late = setTimeout(kill, PATIENCE_MS);
  const console: string[] = [];
  const parts: Buffer[] = [];
  let length = -1;
  createInterface({ input: machine.stdout }).on('line', (line) => {
    console.push(line);
    const start = line.search(/\{"(?:log|done)"/);
    if (start < 0) return;
    const { log, done } = JSON.parse(line.slice(start)) as { log?: string; done?: number };
    if (log !== undefined) parts.push(Buffer.from(log, 'base64'));
    if (done !== undefined) length = done;
  });
  await once(machine, 'close');
  clearTimeout(late);
  kill();
  process.off('exit', kill);
  const log = Buffer.concat(parts);
  if (log.length !== length)
    throw new Error(`No log of ${name}. Its console ends with:\n${console.slice(-25).join('\n')}`);
  return parseEventLog(new Uint8Array(log)).events.filter(({ type }) => type !== EV_NO_ACTION);
}

/** The events that a trust domain's firmware and kernel measure into a register. */
function eventsOf(log: readonly LogEvent[], rtmr: 1 | 2): readonly LogEvent[] {
  return log.filter(({ register, type }) =>
    rtmr === 2
      ? register >= 8 && register <= 15
      : register >= 2 && register <= 6 && (eventTypeName(type) !== SEPARATOR || register === BOOT_PCR),
  );
}

/** What did not run on this machine is not compared: the value that holds for other hosts and firmware. */
function compare(name: string, log: readonly LogEvent[], rtmr: 1 | 2, candidates: readonly PredictedRtmr[]): void {
  const found = eventsOf(log, rtmr);
  const digests = found.map(({ digests: all }) => all['SHA-384'] ?? 'none');
  const fitting = candidates.find(({ events }) => JSON.stringify(events) === JSON.stringify(digests));
  const [first] = candidates;
  const differing = digests.findIndex((digest, index) => digest !== first?.events[index]);
  const type = eventTypeName(found[differing]?.type ?? 0);
  check(
    `${name}: RTMR${rtmr}, ${digests.length} events`,
    fitting !== undefined,
    fitting === undefined
      ? `event ${differing + 1} (${type}) is ${digests[differing] ?? 'absent'}; expected ${candidates.map(({ events }) => events[differing] ?? 'none').join(' or ')}`
      : (fitting.holdsFor ?? ''),
  );
}

const runtime: TdRuntime = { configuration: new Uint8Array(32).fill(1), release: new Uint8Array(32).fill(2) };

/**
 * Evidence of a trust domain with the events of this boot is accepted under the policy of what was started, and refused under that
 * of anything else, by the event that differs.
 */
async function judge(
  name: string,
  log: readonly LogEvent[],
  good: PredictedRtmrs,
  others: readonly (readonly [what: string, event: string, predicted: PredictedRtmrs])[],
): Promise<void> {
  const boot = ([1, 2] as const).flatMap((rtmr) => eventsOf(log, rtmr).map((event): TdEvent => ({ rtmr, event })));
  const policyOf = async (predicted: PredictedRtmrs, release = runtime.release): Promise<object> =>
    rtmrPolicyOf({ ...predicted, 3: [await predictRuntimeRtmr({ ...runtime, release })] });
  const accepted = await refusalOf(boot, runtime, await policyOf(good));
  check(`${name}: accepted under the policy that is computed from its files`, accepted === undefined, accepted?.detail);
  const release = await policyOf(good, new Uint8Array(32).fill(3));
  const cases: [string, string, object][] = [['release', 'event 2 of RTMR3, release: ', release]];
  for (const [what, event, predicted] of others) cases.push([what, event, await policyOf(predicted)]);
  for (const [what, event, section] of cases) {
    const refusal = await refusalOf(boot, runtime, section);
    const named = refusal?.code === 'TDX_RTMR_NOT_ALLOWED' && refusal.detail.includes(event);
    check(
      `${name}: refused by its event under the policy of another ${what}`,
      named,
      named ? event.slice(0, -2) : refusal?.detail,
    );
  }
}

function changed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const middle = copy.length >> 1;
  copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}

const { values } = parseArgs({ options: { 'kernel-package': { type: 'string' }, kernel: { type: 'string' } } });
const kernelFile =
  values.kernel ?? fetchDebianKernel(PACKAGES, values['kernel-package'] ?? 'linux-image-6.12-cloud-amd64').image;
const image = new Uint8Array(readFileSync(kernelFile));
const archive = new Uint8Array(
  gzipSync(
    writeCpio(
      withFolders([
        ...systemEntries([]),
        fileOf('app/init.js', utf8Encode(await guestProgram('rtmr-guest.ts'))),
        fileOf('app/package.json', utf8Encode('{"type":"module"}\n')),
        ...packagesOf(root, ['koffi']).files.map(({ path, source }) =>
          fileOf(`app/node_modules/${path}`, readFileSync(source)),
        ),
      ]),
    ),
    { level: 1 },
  ),
);
const initrd = join(folder, 'initrd');
writeFileSync(initrd, archive);
const direct = await predictDirectRtmrs({ image, archive, commandLine: COMMAND_LINE });
const directLog = await logOfBoot('direct', ['-kernel', kernelFile, '-initrd', initrd, '-append', COMMAND_LINE]);
for (const rtmr of [1, 2] as const) compare('kernel started directly', directLog, rtmr, direct[rtmr]);
await judge('kernel started directly', directLog, direct, [
  [
    'kernel',
    'event 1 of RTMR1, kernel: ',
    await predictDirectRtmrs({ image: changed(image), archive, commandLine: COMMAND_LINE }),
  ],
  [
    'archive',
    'event 2 of RTMR2, archive: ',
    await predictDirectRtmrs({ image, archive: changed(archive), commandLine: COMMAND_LINE }),
  ],
  [
    'command line',
    'event 1 of RTMR2, command line: ',
    await predictDirectRtmrs({ image, archive, commandLine: `${COMMAND_LINE} debug` }),
  ],
]);

const stub = new Uint8Array(readFileSync(fetchDebianStub(PACKAGES)));
const ukiOf = (line: string, files: Uint8Array, kernel: Uint8Array): Uint8Array =>
  buildUki(stub, [
    { name: '.osrel', bytes: utf8Encode('ID=fastness\n') },
    { name: '.cmdline', bytes: utf8Encode(line) },
    { name: '.initrd', bytes: files },
    { name: '.linux', bytes: kernel },
  ]);
const uki = ukiOf(COMMAND_LINE, archive, image);
const disk = join(folder, 'boot.img');
writeFileSync(disk, bootDisk(uki));
const predicted = await predictUkiRtmrs(uki);
const log = await logOfBoot('uki', [
  '-drive',
  `if=none,id=boot,format=raw,readonly=on,file=${disk}`,
  '-device',
  'virtio-blk-pci,drive=boot,bootindex=1',
]);
compare('unified kernel image', log, 1, predicted[1]);
// With a TPM the stub measures sections into register 11; without one it measures nothing.
const kernels = log.filter(({ register }) => register !== 11);
compare('unified kernel image', kernels, 2, predicted[2]);
await judge('unified kernel image', kernels, predicted, [
  // The image covers all of its parts, so its event is the first that differs.
  [
    'kernel',
    'event 3 of RTMR1, unified kernel image: ',
    await predictUkiRtmrs(ukiOf(COMMAND_LINE, archive, changed(image))),
  ],
  ['archive', 'event 2 of RTMR2, archive: ', await predictUkiRtmrs(ukiOf(COMMAND_LINE, changed(archive), image))],
  [
    'command line',
    'event 1 of RTMR2, command line: ',
    await predictUkiRtmrs(ukiOf(`${COMMAND_LINE} debug`, archive, image)),
  ],
]);
process.stdout.write(failures === 0 ? 'all as it must be\n' : `${failures} failed\n`);
process.exit(failures === 0 ? 0 : 1);
