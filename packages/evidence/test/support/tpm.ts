import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { startSwtpm, type RunningSwtpm } from '@fastness/testkit';
import { openSwtpmSocket, openTpm, type Tpm } from '../../src/tpm/index.ts';

/** A TPM emulator and a connection to it, in a folder of its own. */
export interface TestTpm {
  readonly directory: string;
  readonly emulator: RunningSwtpm;
  readonly tpm: Tpm;
  /** kill -9 and start again on the same state. */
  restart(): Promise<Tpm>;
  end(): Promise<void>;
}

export async function startTestTpm(): Promise<TestTpm> {
  const directory = mkdtempSync(join(tmpdir(), 'fastness-tpm-'));
  let emulator = await startSwtpm(directory);
  let tpm = await connect(emulator);
  return {
    directory,
    get emulator() {
      return emulator;
    },
    get tpm() {
      return tpm;
    },
    async restart() {
      await emulator.kill();
      await tpm.close();
      emulator = await startSwtpm(directory);
      tpm = await connect(emulator);
      return tpm;
    },
    async end() {
      await tpm.close();
      await emulator.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function connect(emulator: RunningSwtpm): Promise<Tpm> {
  return openTpm({ transport: await openSwtpmSocket(emulator.socketPath) });
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (error instanceof FastnessError) return error.code;
    throw error;
  }
}
