import { execFile } from 'node:child_process';
import { FastnessError } from '@fastness/codec/errors';

export interface CommandOptions {
  /** A name to look up in PATH, or a path. No shell reads it. */
  readonly command: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  /** Bytes of standard output. */
  readonly most: number;
}

/**
 * Runs a command for what it prints. It gets PATH and nothing else of this process's environment, and no input; one that
 * takes too long is killed.
 * @throws EVIDENCE_COMMAND_ABSENT, EVIDENCE_TIMEOUT, EVIDENCE_RESPONSE when it prints more, EVIDENCE_REFUSED with its exit code
 */
export async function runCommand({ command, args, timeoutMs, most }: CommandOptions): Promise<Uint8Array> {
  return await new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      {
        encoding: 'buffer',
        env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
        killSignal: 'SIGKILL',
        maxBuffer: most,
        timeout: timeoutMs,
        windowsHide: true,
      },
      (error, stdout) => {
        if (error === null) resolve(new Uint8Array(stdout));
        else reject(faultOf(error, command, { timeoutMs, most }));
      },
    );
    // A command that does not read its input may be gone before it is closed.
    child.stdin?.on('error', () => {});
    child.stdin?.end();
  });
}

function faultOf(
  cause: Error & { code?: string | number | null; killed?: boolean },
  command: string,
  { timeoutMs, most }: Pick<CommandOptions, 'timeoutMs' | 'most'>,
): FastnessError {
  const { code } = cause;
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
    return new FastnessError('EVIDENCE_RESPONSE', `${command} printed more than ${most} bytes.`, { cause });
  }
  if (cause.killed === true) {
    return new FastnessError('EVIDENCE_TIMEOUT', `${command} did not end in ${timeoutMs} ms.`, { cause });
  }
  if (typeof code === 'string') {
    return new FastnessError('EVIDENCE_COMMAND_ABSENT', `${command}: ${code}.`, { cause });
  }
  return new FastnessError('EVIDENCE_REFUSED', `${command} ended with ${code ?? 'a signal'}.`, { cause });
}
