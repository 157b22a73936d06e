import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** One answered nonce: what arrived, less the part that all answers of one quote share. */
export interface Sample {
  readonly nonce: Uint8Array;
  readonly ms: number;
  readonly own: string;
  readonly shared: string;
}

export interface Load {
  readonly samples: readonly Sample[];
  readonly refused: number;
  readonly seconds: number;
}

const maxConnections = 2000;

/**
 * Asks for attestations at `rate` a second, at exponential distances that do not wait for answers: clients that know nothing
 * of each other. Bare sockets that are kept open, because the client's own HTTP would cost more than the server's.
 */
export async function askAt(options: { url: string; rate: number; seconds: number; warmUp: number }): Promise<Load> {
  const { hostname, port } = new URL(options.url);
  const idle: Connection[] = [];
  const all = new Set<Connection>();
  const samples: Sample[] = [];
  const shared = new Map<string, string>();
  let refused = 0;
  const pending = new Set<Connection>();
  const started = performance.now();
  const until = started + (options.warmUp + options.seconds) * 1000;
  const counted = started + options.warmUp * 1000;
  const ask = (): void => {
    // A server that falls behind would be asked over ever more connections: what cannot be asked counts as refused.
    if (idle.length === 0 && all.size >= maxConnections) {
      if (performance.now() >= counted) refused += 1;
      return;
    }
    const connection = idle.pop() ?? new Connection(hostname, Number(port));
    all.add(connection);
    const nonce = randomBytes(32);
    const sent = performance.now();
    pending.add(connection);
    connection.post(nonce, (status, body) => {
      pending.delete(connection);
      idle.push(connection);
      if (sent < counted) return;
      if (status !== 200) {
        refused += 1;
        return;
      }
      const ms = performance.now() - sent;
      const cut = body.indexOf('"evidence"');
      const rest = body.subarray(cut).toString('latin1');
      // Equal texts are kept once.
      const same = shared.get(rest) ?? rest;
      shared.set(same, same);
      samples.push({ nonce, ms, own: body.subarray(0, cut).toString('latin1'), shared: same });
    });
  };
  let due = started;
  while (performance.now() < until) {
    for (; due <= performance.now(); due += (-Math.log(1 - Math.random()) / options.rate) * 1000) ask();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now() - 0.5)));
  }
  while (pending.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const connection of all) connection.close();
  return { samples, refused, seconds: options.seconds };
}

/** HTTP/1.1 on one socket, one request at a time, answers with a Content-Length or in chunks. */
class Connection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer[] = [];
  #size = 0;
  #done: ((status: number, body: Buffer) => void) | undefined;

  constructor(host: string, port: number) {
    this.#host = `${host}:${port}`;
    this.#socket = connect(port, host);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (part) => this.#take(part));
    this.#socket.on('error', () => {});
  }

  post(nonce: Uint8Array, done: (status: number, body: Buffer) => void): void {
    const body = JSON.stringify({ nonce: Buffer.from(nonce).toString('base64url') });
    this.#done = done;
    this.#socket.write(
      `POST /attestation HTTP/1.1\r\nhost: ${this.#host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(part: Buffer): void {
    this.#received.push(part);
    this.#size += part.length;
    const bytes = this.#received.length === 1 ? part : Buffer.concat(this.#received, this.#size);
    this.#received = [bytes];
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const head = bytes.subarray(0, headEnd).toString('latin1').toLowerCase();
    const length = /content-length: (\d+)/u.exec(head)?.[1];
    const body = length === undefined ? dechunk(bytes, headEnd + 4) : sized(bytes, headEnd + 4, Number(length));
    if (body === undefined) return;
    this.#received = [];
    this.#size = 0;
    this.#done?.(Number(head.slice(9, 12)), body);
  }
}

function sized(bytes: Buffer, start: number, length: number): Buffer | undefined {
  return bytes.length < start + length ? undefined : bytes.subarray(start, start + length);
}

function dechunk(bytes: Buffer, start: number): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let offset = start; ;) {
    const end = bytes.indexOf('\r\n', offset);
    if (end < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(offset, end).toString('latin1'), 16);
    if (bytes.length < end + 4 + size) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    offset = end + 4 + size;
  }
}
