import { setTimeout as delay } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import { send, type FakeAnswer } from './answer.ts';

/** One way for a service to fail. */
export type ServiceFailure =
  /** Answers with a status, for instance 429 with Retry-After, 503, 404. */
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** Waits before it answers properly. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Answers properly once that is settled. */
  | { readonly kind: 'held'; readonly until: Promise<unknown> }
  /** Sends the head at once and the body a byte at a time, `ms` apart. */
  | { readonly kind: 'trickle'; readonly ms: number }
  /** Sends this many bytes; `declared` says so in the head first. */
  | { readonly kind: 'oversize'; readonly bytes: number; readonly declared: boolean }
  /** Promises the whole body, sends half of it and hangs up. */
  | { readonly kind: 'hang-up' }
  /** Sends half of the body as if it were all. */
  | { readonly kind: 'truncated' }
  /** Says that the body is something else. */
  | { readonly kind: 'content-type'; readonly contentType: string }
  | { readonly kind: 'redirect'; readonly location: string }
  /** Answers something else: stale, rolled back, of another platform, forged. */
  | { readonly kind: 'instead'; readonly answer: FakeAnswer }
  /** Changes the body, for instance one bit of it. */
  | { readonly kind: 'edit'; readonly edit: (body: Uint8Array) => Uint8Array }
  /** Leaves a header out. */
  | { readonly kind: 'without-header'; readonly name: string };

/** Answers in the way of the failure; `answer` is what would have been right. */
export async function failWith(failure: ServiceFailure, response: ServerResponse, answer: FakeAnswer): Promise<void> {
  const body = Buffer.from(answer.body);
  const half = body.subarray(0, Math.floor(body.length / 2));
  switch (failure.kind) {
    case 'status': {
      const { status, retryAfter } = failure;
      send(response, { status, body: '', headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } });
      return;
    }
    case 'slow':
      await delay(failure.ms);
      send(response, answer);
      return;
    case 'held':
      await failure.until;
      send(response, answer);
      return;
    case 'trickle':
      response.writeHead(200, { 'content-length': body.length });
      for (const byte of body) {
        if (response.destroyed) return;
        response.write(Uint8Array.of(byte));
        await delay(failure.ms);
      }
      response.end();
      return;
    case 'oversize':
      response.writeHead(200, failure.declared ? { 'content-length': failure.bytes } : {});
      for (let left = failure.bytes; left > 0 && !response.destroyed; left -= 65_536) {
        response.write(new Uint8Array(Math.min(left, 65_536)));
      }
      response.end();
      return;
    case 'hang-up':
      response.writeHead(200, { 'content-length': body.length, ...answer.headers });
      response.write(half, () => response.destroy());
      return;
    case 'truncated':
      send(response, { ...answer, body: half });
      return;
    case 'content-type':
      send(response, { ...answer, contentType: failure.contentType });
      return;
    case 'redirect':
      send(response, { status: 302, body: '', headers: { location: failure.location } });
      return;
    case 'instead':
      send(response, failure.answer);
      return;
    case 'edit':
      send(response, { ...answer, body: failure.edit(new Uint8Array(body)) });
      return;
    case 'without-header': {
      const wanted = Object.entries(answer.headers ?? {}).filter(([name]) => name !== failure.name);
      send(response, { ...answer, headers: Object.fromEntries(wanted) });
    }
  }
}
