import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { createOutput, plain, processStreams, type Output } from './output.ts';
import { homeAt, type Home } from './home.ts';

/** Options every command has. */
export interface GlobalOptions {
  readonly home: string;
  readonly json?: boolean;
}

/** What a command gets: where its state is, where to print, and the signal that Ctrl-C raises. */
export interface Context {
  readonly home: Home;
  readonly output: Output;
  readonly signal: AbortSignal;
}

/** Any fault as a FastnessError; what is none becomes CLI_UNEXPECTED and keeps its cause. */
export function asFastnessError(error: unknown, code: ErrorCode = 'CLI_UNEXPECTED'): FastnessError {
  if (error instanceof FastnessError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new FastnessError(code, detail, { cause: error });
}

/** Runs one command: Ctrl-C raises the signal, an error prints its code and next step, the exit code is its class's. */
export async function runCommand(options: GlobalOptions, command: (context: Context) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let interrupts = 0;
  const interrupt = (): void => {
    interrupts += 1;
    if (interrupts > 1) process.exit(130);
    controller.abort(new FastnessError('CLI_INTERRUPTED'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.on('SIGHUP', interrupt);
  // Started by `up`: when that is gone, however it went, its services end as well.
  process.once('disconnect', interrupt);
  process.channel?.unref();
  const output = createOutput(options.json ?? false);
  try {
    await command({ home: homeAt(options.home), output, signal: controller.signal });
  } catch (thrown) {
    const interrupted = controller.signal.aborted;
    const error = interrupted ? new FastnessError('CLI_INTERRUPTED') : asFastnessError(thrown);
    printError(output, error);
    process.exitCode = interrupted ? 130 : error.exitCode;
  } finally {
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
    process.off('SIGHUP', interrupt);
    process.off('disconnect', interrupt);
  }
}

export function printError(output: Output, error: FastnessError): void {
  if (output.json) processStreams.out(`${JSON.stringify({ event: 'error', ...error.toProblem() })}\n`);
  else processStreams.err(plain(`✗ ${error.code}: ${error.message}\n  Next: ${error.next}\n`));
  if (process.env['FASTNESS_DEBUG'] !== undefined) processStreams.err(`${describeCauses(error)}\n`);
}

function describeCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? error.message;
  return error.cause === undefined ? own : `${own}\nCaused by: ${describeCauses(error.cause)}`;
}

/** Resolves when the signal is raised: how a foreground server waits for Ctrl-C. */
export async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
