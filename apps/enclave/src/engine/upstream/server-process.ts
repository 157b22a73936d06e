import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { UpstreamSpec } from '@fastness/model';
import { FastnessError } from '@fastness/codec/errors';
import type { EngineFiles } from '../engine.ts';
import type { UpstreamAddress } from './local-http.ts';

/** A server that runs next to the enclave, in the same TEE. */
export interface ServerProcess {
  readonly address: UpstreamAddress;
  /** Settles when the process has ended. */
  readonly ended: Promise<string>;
  readonly pid: number | undefined;
  stop(): Promise<void>;
}

/** Descriptors 0 to 2 are nobody's. */
const firstFile = 3;
const STOP_MS = 5000;
/** Nothing of the enclave's own environment. */
const fixed = Object.freeze({ PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' });

/**
 * Starts the server that upstream.json names: checks the digest of its program and libraries, and runs the very file that was
 * hashed. Files of the model are handed over as open descriptors of sealed memory, so that no plaintext has a name. What the
 * server prints is dropped, since it may quote prompts.
 *
 * Not covered: the server's own memory can be read by root inside the machine and, without a kernel that forbids it, by
 * programs of the same user; and when the enclave is killed outright the server lives on until the machine ends. The measured
 * image has no other program, and ends with the enclave.
 * @throws ENCLAVE_UPSTREAM_PROGRAM, ENCLAVE_ENGINE_UNAVAILABLE
 */
export async function startServer(spec: UpstreamSpec, files: EngineFiles): Promise<ServerProcess> {
  for (const library of spec.libraries) closeSync(await openPinned(library));
  const program = await openPinned(spec.program);
  const directory = mkdtempSync(join(tmpdir(), 'fastness-upstream-'));
  const models = [...files.files];
  const opened = models.map(([, file]) => openSync(file.path, 'r'));
  try {
    const inherited = new Map(models.map(([path], index) => [path, `/proc/self/fd/${firstFile + index}`]));
    const key = randomBytes(32).toString('base64url');
    const needsPort = spec.arguments.some((argument) => argument.includes('{port}'));
    const port = needsPort ? await freePort() : 0;
    const socket = join(directory, 'server.sock');
    const { sequences, contextLength } = files.limits;
    const values: Readonly<Record<string, string>> = {
      socket,
      port: String(port),
      sequences: String(sequences),
      context: String(Math.min(contextLength, spec.contextLength)),
      get folder() {
        return folderOf(join(directory, 'model'), inherited);
      },
    };
    const fill = (text: string, more: Readonly<Record<string, string>> = {}): string =>
      text.replaceAll(
        /\{(?:file:([^{}]*)|([a-z]+))\}/gu,
        (whole, path: string | undefined, name: string | undefined) => {
          const value = path === undefined ? (more[name ?? ''] ?? values[name ?? '']) : inherited.get(path);
          if (value === undefined)
            throw new FastnessError('MODEL_UPSTREAM', `Nothing is meant by ${whole.slice(0, 80)}.`);
          return value;
        },
      );
    const environment = Object.entries(spec.environment).map(([name, value]) => [name, fill(value, { key })]);
    const child = spawn(
      `/proc/self/fd/${program}`,
      spec.arguments.map((argument) => fill(argument)),
      {
        argv0: spec.program.path,
        cwd: directory,
        env: { ...fixed, HOME: directory, ...Object.fromEntries(environment) },
        stdio: ['ignore', 'ignore', 'ignore', ...opened],
      },
    );
    const ended = endOf(child);
    void ended.then(() => rmSync(directory, { recursive: true, force: true }));
    return {
      address: needsPort ? { port, key } : { socketPath: socket },
      ended,
      pid: child.pid,
      stop: () => stop(child, ended),
    };
  } catch (cause) {
    rmSync(directory, { recursive: true, force: true });
    if (cause instanceof FastnessError) throw cause;
    throw new FastnessError('ENCLAVE_ENGINE_UNAVAILABLE', 'The server cannot be started.', { cause });
  } finally {
    for (const fd of [...opened, program]) closeSync(fd);
  }
}

/** An open descriptor of a file with the digest that was signed. */
async function openPinned({ path, sha256 }: UpstreamSpec['program']): Promise<number> {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (cause) {
    throw new FastnessError('ENCLAVE_ENGINE_UNAVAILABLE', path, { cause });
  }
  try {
    const hash = createHash('sha256');
    const stream: AsyncIterable<Uint8Array> = createReadStream('', { fd, autoClose: false, start: 0 });
    for await (const bytes of stream) hash.update(bytes);
    if (hash.digest('hex') !== sha256) throw new FastnessError('ENCLAVE_UPSTREAM_PROGRAM', path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error instanceof FastnessError
      ? error
      : new FastnessError('ENCLAVE_UPSTREAM_PROGRAM', path, { cause: error });
  }
}

/** A folder of links to the descriptors: names, and no content. */
function folderOf(folder: string, inherited: ReadonlyMap<string, string>): string {
  for (const [path, target] of inherited) {
    const link = join(folder, path);
    mkdirSync(dirname(link), { recursive: true, mode: 0o700 });
    symlinkSync(target, link);
  }
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', () => resolve('It did not start.'));
    child.once('exit', (code, signal) => resolve(`It ended with ${signal ?? `exit code ${code}`}.`));
  });
}

async function stop(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(timer);
}
