import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A running swtpm: the TPM 2.0 emulator of Debian, a process of its own whose memory is a folder. */
export interface RunningSwtpm {
  /** Unix socket that takes TPM 2.0 frames. */
  readonly socketPath: string;
  /** Its non-volatile memory. Copying it back is what nothing inside the emulator can notice. */
  readonly stateDirectory: string;
  /** kill -9, and no chance to save anything. */
  kill(): Promise<void>;
}

/** Whether swtpm is installed (Debian package swtpm). */
export const swtpmInstalled: boolean = spawnSync('swtpm', ['--version']).status === 0;

/** Starts swtpm in a folder, with the state that is there. Stop it with `kill`; its state stays. */
export async function startSwtpm(directory: string): Promise<RunningSwtpm> {
  const stateDirectory = join(directory, 'state');
  const socketPath = join(directory, 'tpm.sock');
  mkdirSync(stateDirectory, { recursive: true });
  rmSync(socketPath, { force: true });
  // A killed emulator leaves its lock on the folder, if the version has one.
  rmSync(join(stateDirectory, '.lock'), { force: true });
  const child = spawn(
    'swtpm',
    [
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${stateDirectory}`,
      '--server',
      `type=unixio,path=${socketPath}`,
      '--flags',
      'not-need-init,startup-clear',
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve();
    });
  });
  // The file is there before anybody listens on it.
  while (!(await accepts(socketPath))) {
    if (hasEnded(child)) throw new Error(`swtpm ended with ${child.exitCode ?? child.signalCode ?? 'nothing'}`);
    await sleep(10);
  }
  return {
    socketPath,
    stateDirectory,
    async kill() {
      if (!hasEnded(child)) child.kill('SIGKILL');
      await ended;
    },
  };
}

async function accepts(socketPath: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = connect(socketPath);
    probe.once('error', () => {
      resolve(false);
    });
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
  });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
