#!/usr/bin/env node
import { FastnessError } from '@fastness/codec/errors';
import { parseArguments, USAGE, type Arguments } from './arguments.ts';
import { measureImage } from './measure-image.ts';
import { commandEnvironment, runCommand } from './run-command.ts';
import { SIMULATED_BANNER, startSimulatedTee } from './start.ts';
import { simulatedTrust } from './state.ts';

/** The program: see `USAGE`. Exit codes are the command's own, or those of the error's class. */
async function main(argv: readonly string[]): Promise<number> {
  const options = parseArguments(argv);
  if (options.printMeasurement) return printMeasurement(options);
  const { stateDir = '', socketPath = '', image, exclude, root, command } = options;
  await using tee = await startSimulatedTee({ stateDir, socketPath, image, exclude, root });
  // Both are awaited here: the service must not end before what it serves.
  if (command.length === 0) return await untilSignal(() => announce(tee.measurement));
  announce(tee.measurement);
  return await runCommand({ command, environment: commandEnvironment(process.env, tee.socketPath) });
}

/** Prints the measurement; with a state folder, as JSON together with the pin of its root. Starts nothing. */
async function printMeasurement(options: Arguments): Promise<number> {
  const { stateDir, image, exclude, root } = options;
  const measurement = await measureImage(image, { exclude, root });
  if (stateDir === undefined) process.stdout.write(`${measurement}\n`);
  else {
    process.stderr.write(`${SIMULATED_BANNER}\n`);
    const { arkSpkiSha256 } = await simulatedTrust(stateDir);
    process.stdout.write(`${JSON.stringify({ measurement, arkSpkiSha256 })}\n`);
  }
  return 0;
}

function announce(measurement: string): void {
  process.stderr.write(`simulated-tee: measurement ${measurement}\n`);
}

/** Runs `ready` once signals are listened for, and resolves with the first one. */
async function untilSignal(ready: () => void): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(0));
    ready();
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof FastnessError ? error : undefined;
  const text = known === undefined ? String(error) : `${known.code}: ${known.message}\n${known.next}`;
  process.stderr.write(`simulated-tee: ${text}\n${known?.code === 'TESTKIT_USAGE' ? `${USAGE}\n` : ''}`);
  process.exitCode = known?.exitCode ?? 70;
}
