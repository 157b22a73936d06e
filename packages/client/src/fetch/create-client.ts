import { collect, receiptDigestOf, sealRequest, type OpenedResponse, type StreamSource } from '@fastness/channel';
import { errorHeader, evidenceHeader, previousHeader } from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { FastnessError, isErrorCode } from '@fastness/codec/errors';
import type { ClientPolicy } from '../policy.ts';
import type { ReceiptBundle } from '../receipt/bundle.ts';
import { receiptAtEnd } from '../receipt/receipts.ts';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';
import type { ClientOptions, Conversation, FastnessClient } from './client.ts';
import { holdBackEnd } from './hold-back.ts';
import { innerRequestOf, type InnerRequest } from './inner-request.ts';
import { createOuter } from './outer.ts';
import { SealsAhead } from './seals-ahead.ts';
import { Session } from './session.ts';
import { timeOption, withinTime } from './time-limit.ts';

const defaultSessionSeconds = 600;
const defaultAttestTimeoutMs = 15_000;
const defaultResponseTimeoutMs = 150_000;

/** Bytes of the smallest bucket that requests are padded to. */
const leastRequestBytes = Object.freeze({ balanced: 1024, strict: 4096 });

/** Answers of the gateway that a new verification can put right. */
const keyErrors: ReadonlySet<string> = new Set(['CHANNEL_KEY_UNKNOWN', 'CHANNEL_REQUEST_UNOPENABLE']);
const bodiless: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Creates a client of one enclave, or of the relay in front of it. Nothing is sent before the first `verify` or `fetch`.
 *
 * Not protected against: a host that delays or drops messages, what a relay learns from sizes and times, and what the
 * measured software itself does wrong.
 * @throws FastnessError `CLIENT_OPTION_INVALID`
 */
export function createClient(options: ClientOptions): FastnessClient {
  const now = options.now ?? (() => new Date());
  const tell = options.onEvent ?? (() => undefined);
  const { anchors, apiKey, maxResponseBytes, primitives } = options;
  let { policy } = options;
  const seconds = options.sessionSeconds ?? defaultSessionSeconds;
  if (!(seconds > 0)) throw new FastnessError('CLIENT_OPTION_INVALID', 'sessionSeconds must be above zero.');
  const attestTimeoutMs = timeOption('attestTimeoutMs', options.attestTimeoutMs, defaultAttestTimeoutMs);
  const responseTimeoutMs = timeOption('responseTimeoutMs', options.responseTimeoutMs, defaultResponseTimeoutMs);
  const { direct } = options;
  if (direct !== undefined && options.fetch !== undefined)
    throw new FastnessError('CLIENT_OPTION_INVALID', 'fetch and direct exclude each other.');
  const outer = createOuter(options.url, options.fetch ?? ((url, init) => globalThis.fetch(url, init)), direct);
  const session = new Session({
    outer,
    policy,
    now,
    random: options.random ?? ((length) => globalThis.crypto.getRandomValues(new Uint8Array(length))),
    lifetime: seconds * 1000,
    attestTimeoutMs,
    onVerified: (enclave) => {
      ahead.prepare(enclave);
      tell({ type: 'verified', enclave });
    },
    ...(anchors === undefined ? {} : { anchors }),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(direct === undefined ? {} : { pin: direct.pin }),
    ...(options.completeEndorsements === undefined ? {} : { completeEndorsements: options.completeEndorsements }),
  });
  const ahead = new SealsAhead({
    get allowX25519() {
      return policy.allowX25519 ?? false;
    },
    ...(primitives === undefined ? {} : { primitives }),
  });
  const receipts = new WeakMap<Response, Promise<ReceiptBundle>>();

  /** One exchange with one verified enclave. */
  const send = async (inner: InnerRequest, enclave: VerifiedEnclave, previous?: Uint8Array): Promise<Response> => {
    const { repeatable } = inner;
    const headers = new Headers(inner.request.headers);
    headers.set(evidenceHeader, toBase64Url(enclave.evidenceDigest));
    if (apiKey !== undefined) headers.set('authorization', await authorizationOf(apiKey));
    if (previous === undefined) headers.delete(previousHeader);
    else headers.set(previousHeader, toBase64Url(previous));
    const prepared = await ahead.take(enclave);
    const sealed = await sealRequest({
      prepared,
      request: { ...inner.request, headers },
      leastBytes: leastBytesFor(policy),
    });
    const { method, path } = inner.request;
    const body = repeatable ? await collect(sealed.body, Number.MAX_SAFE_INTEGER) : sealed.body;
    tell({ type: 'sent', method, path, kem: sealed.kem, protocol: sealed.protocol });
    const receipt = Promise.withResolvers<ReceiptBundle>();
    receipt.promise.catch(() => undefined);
    // The relay decides when the outer response begins and when its first bytes come: the limit covers both.
    const limit = { ms: responseTimeoutMs, what: 'The answer to a request', signal: inner.signal };
    const response = await withinTime(limit, async (signal) => {
      const stream = await outer.exchange(body ?? new Uint8Array(0), sealed.protocol, signal);
      const opened: OpenedResponse = await sealed.openResponse(stream, {
        ...(maxResponseBytes === undefined ? {} : { maxResponseBytes }),
        filter: (source, head) => {
          const body = isEventStream(head.headers) ? holdBackEnd(source) : source;
          return afterFirst(body, () => ahead.prepare(enclave));
        },
        onEnd: async (end) => {
          const requestDigest = await sealed.requestDigest;
          const { status } = opened;
          const bundle = await receiptAtEnd({
            enclave,
            request: { method, path },
            requestDigest,
            status,
            end,
            now: now(),
            ...(previous === undefined ? {} : { previous }),
          });
          receipt.resolve(bundle);
          tell({ type: 'receipt', bundle });
        },
      });
      const refusal = refusalInside(opened.headers);
      if (refusal !== undefined) {
        await opened.body.cancel();
        throw refusal;
      }
      opened.trailers.catch((error: unknown) => receipt.reject(incompleteFor(error)));
      return responseOf(opened, method);
    });
    receipts.set(response, receipt.promise);
    return response;
  };

  const fetchAfter = async (previous: Uint8Array | undefined, ...request: FetchArguments): Promise<Response> => {
    const inner = await innerRequestOf(...request);
    inner.signal?.throwIfAborted();
    const enclave = await session.current(inner.signal);
    try {
      return await send(inner, enclave, previous);
    } catch (error) {
      if (!(error instanceof FastnessError) || !keyErrors.has(error.code) || !inner.repeatable) throw error;
      tell({ type: 'keys-changed', code: error.code });
      const fresh = await session.replace(enclave, inner.signal);
      // The refusal was not authenticated. Only keys that did change are a reason to send the request again.
      if (toBase64Url(fresh.keyConfigDigest) === toBase64Url(enclave.keyConfigDigest)) throw error;
      return await send(inner, fresh, previous);
    }
  };

  const getReceipt = async (response: Response): Promise<ReceiptBundle> => {
    const receipt = receipts.get(response);
    if (receipt === undefined) throw new FastnessError('CLIENT_RECEIPT_UNKNOWN');
    return receipt;
  };

  /** Each request names the receipt of the last one that was proved. */
  const conversation = (): Conversation => {
    const proved: ReceiptBundle[] = [];
    let open = false;
    return {
      receipts: () => [...proved],
      getReceipt,
      fetch: async (...request) => {
        // Two requests after the same receipt would make two conversations of it.
        if (open) throw new FastnessError('CLIENT_CONVERSATION_BUSY');
        open = true;
        const end = (): void => {
          open = false;
        };
        try {
          const last = proved.at(-1);
          const previous = last === undefined ? undefined : await receiptDigestOf(fromBase64Url(last.receipt));
          const response = await fetchAfter(previous, ...request);
          const receipt = receipts.get(response);
          receipt?.then((bundle) => proved.push(bundle)).then(end, end);
          return response;
        } catch (error) {
          end();
          throw error;
        }
      },
    };
  };

  return {
    verify: (verifyOptions = {}) => session.verify(verifyOptions.signal),
    setPolicy: (next) => {
      policy = next;
      session.setPolicy(next);
    },
    fetch: async (...request) => fetchAfter(undefined, ...request),
    conversation,
    getReceipt,
  };
}

/** Errors: CLIENT_OPTION_INVALID, which quotes nothing of the key. */
async function authorizationOf(apiKey: NonNullable<ClientOptions['apiKey']>): Promise<string> {
  const key = typeof apiKey === 'string' ? apiKey : await apiKey();
  if (!/^[\x21-\x7e]{1,256}$/.test(key)) {
    throw new FastnessError('CLIENT_OPTION_INVALID', 'apiKey is not 1 to 256 visible characters.');
  }
  return `Bearer ${key}`;
}

type FetchArguments = [input: string | URL | Request, init?: RequestInit];

function leastBytesFor({ traffic }: ClientPolicy): number {
  return traffic === undefined ? 0 : leastRequestBytes[traffic];
}

/** The platform's `Response`. One that cannot have a body is read to its end first, so that its receipt counts too. */
async function responseOf(opened: OpenedResponse, method: string): Promise<Response> {
  const { status, headers, body } = opened;
  if (!bodiless.has(status) && method !== 'HEAD') return new Response(body, { status, headers });
  const content = await collect(body, 0);
  if (content === undefined) throw new FastnessError('CLIENT_RESPONSE_TYPE', `A body with status ${status}.`);
  return new Response(null, { status, headers });
}

/**
 * Calls `work` when the reader comes back for a second part: while the answer is under way, so that neither its beginning
 * nor its end nor the next request waits for it.
 */
function afterFirst(source: StreamSource, work: () => void): StreamSource {
  let parts = 0;
  const next = (): Promise<Uint8Array | undefined> => {
    const part = source.next();
    parts += 1;
    if (parts === 2) work();
    return part;
  };
  return { next, cancel: source.cancel };
}

/** Why the enclave did not answer, as it says inside the channel: unlike an answer in the clear, this is its own word. */
function refusalInside(headers: Headers): FastnessError | undefined {
  const code = headers.get(errorHeader);
  if (code === null) return undefined;
  const known = isErrorCode(code) && /^(?:CHANNEL|ENCLAVE|BROKER)_/.test(code);
  return new FastnessError(known ? code : 'CLIENT_REFUSED', 'The enclave said so through the channel.');
}

function isEventStream(headers: Headers): boolean {
  return /^text\/event-stream(?:;|$)/.test(headers.get('content-type') ?? '');
}

function incompleteFor(error: unknown): unknown {
  const left = error instanceof FastnessError && error.code !== 'CHANNEL_CANCELLED';
  return left ? error : new FastnessError('CLIENT_RECEIPT_INCOMPLETE', undefined, { cause: error });
}
