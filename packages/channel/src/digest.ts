import { concatBytes, u32be, u64be, utf8Encode } from '@fastness/codec/bytes';
import { webPrimitives, type Awaitable, type Primitives } from './primitives.ts';

/** Size in bytes of the blocks a body is hashed in. */
const blockLength = 65_536;
const blockPrefix = 1;
const endPrefix = 2;
const stateLength = 32;
/** Most messages are smaller than a block, so that the room for one is made only as it fills. */
const firstRoom = 2048;

/**
 * Digest of an HTTP message that is computed while the body passes by, in constant memory. WebCrypto hashes only whole
 * inputs, so the body goes through a chain of SHA-256 over consecutive blocks of 64 KiB (the last may be shorter):
 *
 *     H0     = SHA-256(len(label) label len(field) field ...)       len: 32-bit big-endian length in bytes
 *     Hi     = SHA-256(01 H(i-1) block(i))
 *     digest = SHA-256(02 H(n) length of the body as 64-bit big-endian)
 *
 * It depends on the bytes of the body alone, never on how they were cut into chunks. The prefixes keep the three steps
 * apart; the length ends the chain, so no digest is the start of another.
 */
export class MessageDigest {
  readonly #sha256: Primitives['sha256'];
  #state: Awaitable<Uint8Array>;
  #block = new Uint8Array(1 + stateLength + firstRoom);
  #filled = 0;
  #length = 0;

  constructor(label: string, fields: readonly string[], primitives: Primitives = webPrimitives) {
    this.#sha256 = primitives.sha256;
    const framed = [label, ...fields].flatMap((text) => {
      const bytes = utf8Encode(text);
      return [u32be(bytes.length), bytes];
    });
    this.#state = this.#sha256(concatBytes(...framed));
    this.#block[0] = blockPrefix;
  }

  /** Adds bytes of the body. Returns a promise only where a block is full and has to be hashed first. */
  update(bytes: Uint8Array): Promise<void> | undefined {
    this.#length += bytes.length;
    if (this.#filled + bytes.length < blockLength) {
      this.#put(bytes);
      return undefined;
    }
    return this.#hashBlocks(bytes);
  }

  /** The digest, 32 bytes. Call it once, after the last `update`. */
  async finish(): Promise<Uint8Array> {
    if (this.#filled > 0) await this.#hashBlock();
    return this.#sha256(concatBytes(Uint8Array.of(endPrefix), await this.#state, u64be(BigInt(this.#length))));
  }

  async #hashBlocks(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (this.#filled + rest.length >= blockLength) {
      const part = rest.subarray(0, blockLength - this.#filled);
      this.#put(part);
      await this.#hashBlock();
      rest = rest.subarray(part.length);
    }
    this.#put(rest);
  }

  /** Adds bytes that fit into the block. */
  #put(bytes: Uint8Array): void {
    const end = 1 + stateLength + this.#filled + bytes.length;
    if (end > this.#block.length) {
      const grown = new Uint8Array(Math.min(1 + stateLength + blockLength, Math.max(end, 4 * this.#block.length)));
      grown.set(this.#block.subarray(0, 1 + stateLength + this.#filled));
      this.#block = grown;
    }
    this.#block.set(bytes, 1 + stateLength + this.#filled);
    this.#filled += bytes.length;
  }

  async #hashBlock(): Promise<void> {
    this.#block.set(await this.#state, 1);
    this.#state = await this.#sha256(this.#block.subarray(0, 1 + stateLength + this.#filled));
    this.#filled = 0;
  }
}

/** Starts the digest of a request: `path` with its query, as the gateway hands it to the application. */
export function startRequestDigest(request: { method: string; path: string }, primitives?: Primitives): MessageDigest {
  return new MessageDigest('fastness/request/v1', [request.method, request.path], primitives);
}

/** Starts the digest of a response. */
export function startResponseDigest(response: { status: number }, primitives?: Primitives): MessageDigest {
  return new MessageDigest('fastness/response/v1', [String(response.status)], primitives);
}

/** Digest of a request whose body is on hand. */
export async function requestDigestOf(request: {
  method: string;
  path: string;
  body: Uint8Array;
}): Promise<Uint8Array> {
  const digest = startRequestDigest(request);
  await digest.update(request.body);
  return digest.finish();
}

/** Digest of a response whose body is on hand. */
export async function responseDigestOf(response: { status: number; body: Uint8Array }): Promise<Uint8Array> {
  const digest = startResponseDigest(response);
  await digest.update(response.body);
  return digest.finish();
}
