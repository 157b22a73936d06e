import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { SimulatedReport } from './reporter.ts';
import { MAX_REQUEST, parseRequest } from './request.ts';

const TIMEOUT_MS = 5000;
const MAX_CONNECTIONS = 64;
/** sun_path holds 108 bytes with the final zero. */
const MAX_PATH = 107;
/** The socket is first bound in a folder beside its place. */
const TEMPORARY_PATH = '/.s-XXXXXX/s';

export interface Service extends AsyncDisposable {
  readonly socketPath: string;
  readonly close: () => Promise<void>;
}

/**
 * Answers report requests on a Unix socket that only its owner may use: one line of JSON per connection, one line back,
 * `{"evidence":..,"endorsements":[..]}` or `{"error":<problem details>}`.
 * @throws TESTKIT_SOCKET_IN_USE when something answers there, TESTKIT_SOCKET_PATH
 */
export async function serve(options: {
  readonly socketPath: string;
  readonly report: (reportData: Uint8Array) => Promise<SimulatedReport>;
}): Promise<Service> {
  const { socketPath, report } = options;
  if (Math.max(Buffer.byteLength(socketPath), Buffer.byteLength(dirname(socketPath) + TEMPORARY_PATH)) > MAX_PATH) {
    throw new FastnessError('TESTKIT_SOCKET_PATH', socketPath);
  }
  if (await answers(socketPath)) throw new FastnessError('TESTKIT_SOCKET_IN_USE', socketPath);
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    answer(socket, report);
  });
  server.maxConnections = MAX_CONNECTIONS;
  await bind(server, socketPath);
  const close = async (): Promise<void> => {
    for (const socket of open) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await rm(socketPath, { force: true });
  };
  return { socketPath, close, [Symbol.asyncDispose]: close };
}

/**
 * Binds inside a new folder of mode 0700, restricts the socket, then moves it into place: at no time could another user
 * connect, and a socket file left over by a crash is replaced.
 */
async function bind(server: Server, socketPath: string): Promise<void> {
  const folder = await mkdtemp(join(dirname(socketPath), '.s-'));
  try {
    const path = join(folder, 's');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => resolve());
    });
    await chmod(path, 0o600);
    await rename(path, socketPath);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    const done = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

function answer(socket: Socket, report: (reportData: Uint8Array) => Promise<SimulatedReport>): void {
  let text = '';
  let answered = false;
  const reply = (work: Promise<SimulatedReport>): void => {
    answered = true;
    work
      .catch((error: unknown) => ({ error: problemOf(error) }))
      .then((body) => socket.end(`${JSON.stringify(body)}\n`))
      .catch(() => socket.destroy());
  };
  const refuse = (detail: string): void => reply(Promise.reject(new FastnessError('TESTKIT_REQUEST', detail)));
  socket.setEncoding('latin1');
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  // A peer that hangs up is no event here.
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    if (answered) return;
    text += chunk;
    const end = text.indexOf('\n');
    if (end === -1 && text.length > MAX_REQUEST) refuse('The line is too long.');
    else if (end > MAX_REQUEST) refuse('The line is too long.');
    else if (end !== -1 && end < text.length - 1) refuse('One line per connection.');
    else if (end !== -1) reply(Promise.resolve(text.slice(0, end)).then(parseRequest).then(report));
  });
  socket.on('end', () => {
    if (!answered) socket.destroy();
  });
}

function problemOf(error: unknown): unknown {
  const known =
    error instanceof FastnessError ? error : new FastnessError('TESTKIT_STATE', undefined, { cause: error });
  return known.toProblem();
}
