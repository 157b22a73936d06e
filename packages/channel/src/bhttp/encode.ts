import { concatBytes } from '@fastness/codec/bytes';
import { encodeVarint } from '../varint.ts';
import { encodeRequestControl, encodeStatus, framing, type RequestControl } from './control.ts';
import { encodeFieldLines, type FieldLines } from './fields.ts';

const zero = Uint8Array.of(0);

/** A request of known length (RFC 9292 section 3.1), without padding. */
export function encodeKnownRequest(request: RequestControl & { fields: FieldLines; content: Uint8Array }): Uint8Array {
  return concatBytes(
    encodeVarint(framing.knownRequest),
    encodeRequestControl(request),
    ...known(request.fields, request.content),
  );
}

/** A response of known length, without padding. */
export function encodeKnownResponse(response: { status: number; fields: FieldLines; content: Uint8Array }): Uint8Array {
  return concatBytes(
    encodeVarint(framing.knownResponse),
    encodeStatus(response.status),
    ...known(response.fields, response.content),
  );
}

/** Head of a request of indeterminate length, to the end of its header section. */
export function encodeRequestHead(request: RequestControl & { fields: FieldLines }): Uint8Array {
  const { fields } = request;
  return concatBytes(
    encodeVarint(framing.indeterminateRequest),
    encodeRequestControl(request),
    encodeFieldLines(fields),
    zero,
  );
}

/** Head of a response of indeterminate length, to the end of its header section. */
export function encodeResponseHead(response: { status: number; fields: FieldLines }): Uint8Array {
  return concatBytes(
    encodeVarint(framing.indeterminateResponse),
    encodeStatus(response.status),
    encodeFieldLines(response.fields),
    zero,
  );
}

/** Trailer section of a message of indeterminate length. */
export function encodeTrailers(fields: FieldLines): Uint8Array {
  return concatBytes(encodeFieldLines(fields), zero);
}

function known(fields: FieldLines, content: Uint8Array): Uint8Array[] {
  const lines = encodeFieldLines(fields);
  return [encodeVarint(lines.length), lines, encodeVarint(content.length), content, zero];
}
