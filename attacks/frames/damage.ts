/** One way of damaging a sealed message, given where its chunks begin and end. */
export type Damage = (message: Message, random: () => number) => Uint8Array<ArrayBuffer>;

/** A sealed message: what comes before its chunks, and the chunks with their lengths. */
export interface Message {
  readonly head: Uint8Array<ArrayBuffer>;
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
}

export const joined = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(parts));

/** Splits a chunked OHTTP message behind a head of known length. The last chunk has length 0 and runs to the end. */
export function splitMessage(bytes: Uint8Array<ArrayBuffer>, headLength: number): Message {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let offset = headLength; offset < bytes.length;) {
    const lengthBytes = 1 << ((bytes[offset] ?? 0) >> 6);
    let length = (bytes[offset] ?? 0) & 0x3f;
    for (let index = 1; index < lengthBytes; index += 1) length = length * 256 + (bytes[offset + index] ?? 0);
    const end = length === 0 ? bytes.length : offset + lengthBytes + length;
    chunks.push(bytes.slice(offset, end));
    offset = end;
  }
  return { head: bytes.slice(0, headLength), chunks };
}

const whole = ({ head, chunks }: Message): Uint8Array<ArrayBuffer> => joined([head, ...chunks]);
const below = (random: () => number, limit: number): number => Math.floor(random() * limit);

function changed(message: Message, random: () => number, change: (byte: number) => number): Uint8Array<ArrayBuffer> {
  const bytes = whole(message);
  const at = below(random, bytes.length);
  bytes[at] = change(bytes[at] ?? 0);
  return bytes;
}

/** Everything that somebody who cannot open a message can do to it, but for sending it again. Messages have two chunks at least. */
export const damages: Readonly<Record<string, Damage>> = Object.freeze({
  'a bit flipped': (message, random) => changed(message, random, (byte) => byte ^ (1 << below(random, 8))),
  'a byte replaced': (message, random) => changed(message, random, (byte) => (byte + 1 + below(random, 255)) & 0xff),
  'a bit of the framing flipped': ({ head, chunks }, random) => {
    const at = below(random, chunks.length);
    const parts = chunks.map((chunk) => chunk.slice());
    const chunk = parts[at];
    if (chunk !== undefined) chunk[0] = (chunk[0] ?? 0) ^ (1 << below(random, 8));
    return joined([head, ...parts]);
  },
  'cut anywhere': (message, random) => {
    const bytes = whole(message);
    return bytes.slice(0, below(random, bytes.length));
  },
  'cut after a whole chunk': ({ head, chunks }, random) =>
    joined([head, ...chunks.slice(0, 1 + below(random, chunks.length - 1))]),
  'two chunks in each other’s place': ({ head, chunks }, random) => {
    const at = below(random, chunks.length - 1);
    const parts = [...chunks];
    parts.splice(at, 2, chunks[at + 1] ?? joined([]), chunks[at] ?? joined([]));
    return joined([head, ...parts]);
  },
  'a chunk twice': ({ head, chunks }, random) => {
    const at = below(random, chunks.length - 1);
    return joined([head, ...chunks.slice(0, at + 1), ...chunks.slice(at)]);
  },
  'a chunk missing': ({ head, chunks }, random) => joined([head, ...chunks.toSpliced(below(random, chunks.length), 1)]),
  'bytes added': (message, random) =>
    joined([whole(message), Uint8Array.from({ length: 1 + below(random, 64) }, () => below(random, 256))]),
  'bytes put in': (message, random) => {
    const bytes = whole(message);
    const at = below(random, bytes.length);
    return joined([bytes.slice(0, at), Uint8Array.of(below(random, 256)), bytes.slice(at)]);
  },
  noise: (_message, random) => Uint8Array.from({ length: below(random, 4096) }, () => below(random, 256)),
});
