import { FastnessError } from '@fastness/codec/errors';
import type { PullReader } from '../pull-reader.ts';
import { checkRequestControl, checkStatus, framing, type RequestControl } from './control.ts';
import { FieldSectionReader, latin1Decode } from './fields.ts';
import type { MessageLimits } from './limits.ts';

/** A message whose head has been read and whose body is read by `nextBody`. */
export interface DecodedMessage {
  readonly headers: Headers;
  /**
   * The following bytes of the body, or undefined once the whole message, with trailers and padding, has been read and
   * found well-formed: a body that ended is a body that nobody cut.
   */
  readonly nextBody: () => Promise<Uint8Array | undefined>;
  /** Trailer fields; empty until `nextBody` gave undefined. */
  readonly trailers: () => Headers;
}

export interface DecodedRequest extends RequestControl, DecodedMessage {}

export interface DecodedResponse extends DecodedMessage {
  readonly status: number;
}

const code = 'CHANNEL_HTTP_MALFORMED';

/**
 * Reads a binary HTTP request (RFC 9292) of known or indeterminate length. Subset: https only, shortest integers, no
 * field of a connection. Empty trailing parts may be left out, zeros may follow.
 * @throws FastnessError `CHANNEL_HTTP_*`
 */
export async function decodeRequest(reader: PullReader, limits: MessageLimits): Promise<DecodedRequest> {
  const kind = await reader.varint(code);
  if (kind !== framing.knownRequest && kind !== framing.indeterminateRequest) throw otherKind(kind);
  const budget = { left: limits.control };
  const method = await controlText(reader, budget);
  const scheme = await controlText(reader, budget);
  const authority = await controlText(reader, budget);
  const path = await controlText(reader, budget);
  const control = { method, scheme, authority, path };
  checkRequestControl(control);
  const known = kind === framing.knownRequest;
  return { ...control, ...(await decodeRest(reader, { known, mostChunks: limits.contentChunks }, limits)) };
}

/**
 * Reads a binary HTTP response (RFC 9292) of known or indeterminate length. Subset as for requests; informational
 * responses are refused.
 * @throws FastnessError `CHANNEL_HTTP_*`
 */
export async function decodeResponse(reader: PullReader, limits: MessageLimits): Promise<DecodedResponse> {
  const kind = await reader.varint(code);
  if (kind !== framing.knownResponse && kind !== framing.indeterminateResponse) throw otherKind(kind);
  const status = await reader.varint(code);
  checkStatus(status);
  const known = kind === framing.knownResponse;
  return { status, ...(await decodeRest(reader, { known, mostChunks: Number.POSITIVE_INFINITY }, limits)) };
}

async function decodeRest(
  reader: PullReader,
  { known, mostChunks }: { readonly known: boolean; readonly mostChunks: number },
  limits: MessageLimits,
): Promise<DecodedMessage> {
  const section = () => (known ? knownSection(reader, limits) : indeterminateSection(reader, limits));
  const headers = await section();
  const nextContent = known ? knownContent(reader) : indeterminateContent(reader, mostChunks);
  let trailers = new Headers();
  let complete = false;
  return {
    headers,
    trailers: () => trailers,
    nextBody: async () => {
      if (complete) return undefined;
      const bytes = await nextContent();
      if (bytes !== undefined) return bytes;
      trailers = await section();
      await padding(reader);
      complete = true;
      return undefined;
    },
  };
}

/** A section behind its length. Missing at the end of the message, it is empty (RFC 9292 section 3.8). */
async function knownSection(reader: PullReader, limits: MessageLimits): Promise<Headers> {
  if (await reader.atEnd()) return new Headers();
  const length = await reader.varint(code);
  if (length > limits.fieldBytes + limits.fields * 8) {
    throw new FastnessError('CHANNEL_HTTP_LIMIT', `A section of ${length} bytes.`);
  }
  return FieldSectionReader.whole(await reader.take(length), limits);
}

/** A section of lines up to a zero. Missing at the end of the message, it is empty. */
async function indeterminateSection(reader: PullReader, limits: MessageLimits): Promise<Headers> {
  const section = new FieldSectionReader(reader, limits);
  if (await reader.atEnd()) return section.headers;
  for (;;) {
    const nameLength = await reader.varint(code);
    if (nameLength === 0) return section.headers;
    await section.line(nameLength);
  }
}

function knownContent(reader: PullReader): () => Promise<Uint8Array | undefined> {
  let left: number | undefined;
  return async () => {
    left ??= (await reader.atEnd()) ? 0 : await reader.varint(code);
    if (left === 0) return undefined;
    const bytes = await reader.some(left);
    left -= bytes.length;
    return bytes;
  };
}

/** Chunks behind their lengths, up to a zero; at most `most` of them. */
function indeterminateContent(reader: PullReader, most: number): () => Promise<Uint8Array | undefined> {
  let left = 0;
  let count = 0;
  let started = false;
  let ended = false;
  return async () => {
    if (ended) return undefined;
    if (left === 0) {
      left = !started && (await reader.atEnd()) ? 0 : await reader.varint(code);
      started = true;
      if (left === 0) {
        ended = true;
        return undefined;
      }
      count += 1;
      if (count > most) throw new FastnessError('CHANNEL_HTTP_LIMIT', `More than ${most} chunks of content.`);
    }
    const bytes = await reader.some(left);
    left -= bytes.length;
    return bytes;
  };
}

async function padding(reader: PullReader): Promise<void> {
  while (!(await reader.atEnd())) {
    const bytes = await reader.some(Number.MAX_SAFE_INTEGER);
    if (bytes.some((byte) => byte !== 0)) throw new FastnessError('CHANNEL_HTTP_PADDING');
  }
}

async function controlText(reader: PullReader, budget: { left: number }): Promise<string> {
  const length = await reader.varint(code);
  budget.left -= length;
  if (budget.left < 0) throw new FastnessError('CHANNEL_HTTP_LIMIT', 'The control data is too long.');
  return latin1Decode(await reader.take(length));
}

function otherKind(kind: number): FastnessError {
  return new FastnessError('CHANNEL_HTTP_FRAMING', `Framing indicator ${kind}.`);
}
