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
  process.stderr.write(`simulated-tee: measurement ${tee.measurement}\n`);
  // Awaited here: the service must not end before what it serves.
  if (command.length === 0) return await untilSignal();
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

async function untilSignal(): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve(0));
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
