import type { ServerResponse } from 'node:http';

/** What a fake answers. Status 200 unless it says otherwise. */
export interface FakeAnswer {
  readonly status?: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

/** Sends an answer as it is. */
export function send(response: ServerResponse, answer: FakeAnswer): void {
  const { status = 200, contentType = 'application/octet-stream', headers = {}, body } = answer;
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-type': contentType, 'content-length': bytes.length, ...headers });
  response.end(bytes);
}
