import type { OuterFetch } from '@fastness/client';

/** What the relay hands on; everything it sees passes here, and it may change all of it. */
export interface EvilRelay {
  readonly fetch: OuterFetch;
  /** Sealed requests that passed, as the relay would keep them. */
  readonly requests: Uint8Array<ArrayBuffer>[];
  readonly responses: Uint8Array<ArrayBuffer>[];
}

export interface Tampering {
  /** Changes a sealed request on its way to the enclave. */
  readonly request?: (body: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  /** Changes a sealed response on its way to the client. */
  readonly response?: (body: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
  /** Changes the attestation bundle on its way to the client. */
  readonly attestation?: (bundle: Record<string, unknown>) => Record<string, unknown>;
}

/** A relay that holds every message whole before it hands it on, so that it can do to it what it likes. */
export function evilRelay(tampering: Tampering = {}): EvilRelay {
  const requests: Uint8Array<ArrayBuffer>[] = [];
  const responses: Uint8Array<ArrayBuffer>[] = [];
  return {
    requests,
    responses,
    fetch: async (url, init) => {
      if (new URL(url).pathname === '/attestation') {
        const response = await fetch(url, init);
        if (tampering.attestation === undefined) return response;
        return Response.json(tampering.attestation((await response.json()) as Record<string, unknown>));
      }
      const sealed = new Uint8Array(await new Response(init.body ?? null).arrayBuffer());
      requests.push(sealed);
      const response = await fetch(url, { ...init, body: tampering.request?.(sealed) ?? sealed });
      if (!response.ok) return response;
      const body = new Uint8Array(await response.arrayBuffer());
      responses.push(body);
      return new Response(tampering.response?.(body) ?? body, { status: response.status, headers: response.headers });
    },
  };
}

/** Splits a chunked OHTTP response into its nonce and its chunks, each with its length prefix; the last has length 0. */
export function splitResponse(body: Uint8Array<ArrayBuffer>): {
  nonce: Uint8Array<ArrayBuffer>;
  chunks: Uint8Array<ArrayBuffer>[];
} {
  const nonceLength = 32;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let offset = nonceLength;
  while (offset < body.length) {
    const first = body[offset] ?? 0;
    const lengthBytes = 1 << (first >> 6);
    let length = first & 0x3f;
    for (let index = 1; index < lengthBytes; index += 1) length = length * 256 + (body[offset + index] ?? 0);
    const end = length === 0 ? body.length : offset + lengthBytes + length;
    chunks.push(body.slice(offset, end));
    offset = end;
  }
  return { nonce: body.slice(0, nonceLength), chunks };
}

export function joinBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}
