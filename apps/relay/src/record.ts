import { appendFileSync, closeSync, openSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';

/**
 * Records all that a relay can see of one exchange. For tests that search it for plaintext, and for whoever wants to
 * judge what a hostile relay learns; never for production: it holds the addresses and headers of clients, which a relay
 * exists to forget, and ciphertext for a later attacker.
 */
export interface ExchangeRecorder {
  request(chunk: Uint8Array): void;
  responseHead(status: number, headers: NodeJS.Dict<unknown>): void;
  response(chunk: Uint8Array): void;
  end(): void;
}

export interface Recorder {
  begin(request: IncomingMessage): ExchangeRecorder;
  close(): void;
}

/**
 * Appends to one file (mode 0600). An exchange is written as one block when it ends, its bytes as they were on the wire
 * less the chunk framing, so that a search for a plaintext is not defeated by how it was cut into chunks or by a second
 * exchange in between. Until then it is in memory, bounded by the limits of the relay.
 */
export function createRecorder(path: string): Recorder {
  const file = openSync(path, 'a', 0o600);
  let count = 0;
  let open = true;
  return {
    begin(request) {
      count += 1;
      const number = count;
      const socket = `${request.socket.remoteAddress ?? '?'} ${request.socket.remotePort ?? 0}`;
      const requestHead = `${request.method ?? ''} ${request.url ?? ''}\n${pairs(request.rawHeaders)}`;
      const sent: Uint8Array[] = [];
      const received: Uint8Array[] = [];
      let responseHead = '';
      let ended = false;
      return {
        request: (chunk) => {
          sent.push(chunk);
        },
        responseHead: (status, headers) => {
          responseHead = `${status}\n${Object.entries(headers)
            .map(([name, value]) => `${name}: ${String(value)}\n`)
            .join('')}`;
        },
        response: (chunk) => {
          received.push(chunk);
        },
        end: () => {
          if (ended || !open) return;
          ended = true;
          const block = [
            Buffer.from(`=== exchange ${number} from ${socket}\n${requestHead}--- request body\n`),
            ...sent,
            Buffer.from(`\n--- response ${responseHead}--- response body\n`),
            ...received,
            Buffer.from('\n=== end\n'),
          ];
          appendFileSync(file, Buffer.concat(block));
        },
      };
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(file);
    },
  };
}

function pairs(rawHeaders: readonly string[]): string {
  let text = '';
  for (let index = 0; index < rawHeaders.length; index += 2) {
    text += `${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}\n`;
  }
  return text;
}
