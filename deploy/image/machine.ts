import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { once } from 'node:events';

/** Firmware with measurements, of Debian's package ovmf. */
const FIRMWARE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
const VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';

export interface MachineOptions {
  /** A folder of its own: sockets, variables of the firmware, state of the TPM. */
  readonly folder: string;
  /** State of the TPM to begin with, which is copied. */
  readonly tpmState: string;
  readonly bootDisk: string;
  readonly modelDisk: string;
  /** Port of this machine that leads to the enclave's. */
  readonly port: number;
  readonly enclavePort: number;
  /** A resolv.conf that this machine's network uses in place of the host's: where names of the guest are looked up. */
  readonly resolver?: string;
}

/** Arguments: a resolv.conf, a program, its arguments. */
const RESOLVED = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';

/** What the kernel writes when a machine dies is long and says little. */
const KERNEL_LINE = /^\[ *\d+\.\d+\] /;

/** An emulated machine: UEFI firmware, TPM 2.0 (swtpm), network card, two disks that it cannot write to. */
export interface Machine {
  /** Lines of its console so far. */
  readonly console: readonly string[];
  /** The first object of the log that fits; rejects when the machine is off before, or after `milliseconds`. */
  waitFor(
    predicate: (entry: Readonly<Record<string, unknown>>) => boolean,
    milliseconds: number,
  ): Promise<Readonly<Record<string, unknown>>>;
  stop(): Promise<void>;
}

export async function startMachine(options: MachineOptions): Promise<Machine> {
  const { folder } = options;
  const state = join(folder, 'tpm');
  const socket = join(folder, 'tpm.sock');
  mkdirSync(folder, { recursive: true });
  cpSync(options.tpmState, state, { recursive: true });
  copyFileSync(VARIABLES, join(folder, 'variables'));
  const tpm = spawn(
    'swtpm',
    [
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${state}`,
      '--ctrl',
      `type=unixio,path=${socket}`,
      '--flags',
      'startup-clear',
    ],
    { stdio: 'ignore' },
  );
  await once(tpm, 'spawn');
  // Emulated in software: nothing here needs KVM, and machines that test this have none.
  const { resolver } = options;
  // QEMU's network asks the name servers of /etc/resolv.conf, which is another file for this one process.
  const [program, before] =
    resolver === undefined
      ? ['qemu-system-x86_64', []]
      : ['unshare', ['--map-root-user', '--mount', 'sh', '-c', RESOLVED, 'sh', resolver, 'qemu-system-x86_64']];
  const emulator = spawn(
    program,
    // prettier-ignore
    [
      ...before, '-machine', 'q35', '-accel', 'tcg', '-cpu', 'max', '-m', '1024', '-smp', '1', '-no-reboot', '-nodefaults',
      '-display', 'none', '-serial', 'stdio',
      '-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`,
      '-drive', `if=pflash,format=raw,unit=1,file=${join(folder, 'variables')}`,
      '-chardev', `socket,id=tpm,path=${socket}`, '-tpmdev', 'emulator,id=tpm0,chardev=tpm',
      '-device', 'tpm-crb,tpmdev=tpm0',
      '-drive', `if=none,id=model,format=raw,readonly=on,file=${options.modelDisk}`,
      '-device', 'virtio-blk-pci,drive=model',
      '-drive', `if=none,id=boot,format=raw,readonly=on,file=${options.bootDisk}`,
      '-device', 'virtio-blk-pci,drive=boot,bootindex=1',
      '-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${options.port}-10.0.2.15:${options.enclavePort}`,
      '-device', 'virtio-net-pci,netdev=net,romfile=',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const lines: string[] = [];
  const listeners = new Set<() => void>();
  const note = (line: string): void => {
    lines.push(line);
    for (const listener of listeners) listener();
  };
  for (const stream of [emulator.stdout, emulator.stderr]) createInterface({ input: stream }).on('line', note);
  const { promise: off, resolve: isOff } = Promise.withResolvers<void>();
  emulator.once('close', () => {
    note('[the machine is off]');
    isOff();
  });
  return {
    console: lines,
    waitFor: async (predicate, milliseconds) => {
      const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
      const fail = (why: string): void => {
        const said = lines.filter((line) => !KERNEL_LINE.test(line));
        reject(new Error(`${why}. Its console ends with:\n${said.slice(-25).join('\n')}`));
      };
      const look = (): void => {
        const found = lines.map(entryOf).find((entry) => entry !== undefined && predicate(entry));
        if (found !== undefined) resolve(found);
      };
      const timer = setTimeout(() => fail(`Not seen within ${milliseconds / 1000} s`), milliseconds);
      listeners.add(look);
      look();
      void off.then(() => {
        fail('The machine is off');
        return undefined;
      });
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        listeners.delete(look);
      }
    },
    stop: async () => {
      await end(emulator);
      await end(tpm);
    },
  };
}

/** A line of the enclave's log; firmware and kernel write others. */
function entryOf(line: string): Readonly<Record<string, unknown>> | undefined {
  const start = line.indexOf('{"time"');
  if (start < 0) return undefined;
  try {
    return JSON.parse(line.slice(start)) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}
