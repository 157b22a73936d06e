/** A generator of numbers below 2^32 that a seed determines (xorshift32): a run can be repeated. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const interesting = [
  0, 1, 2, 0x10, 0x1f, 0x20, 0x30, 0x40, 0x5f, 0x7f, 0x80, 0x81, 0x84, 0x9f, 0xa0, 0xbf, 0xd2, 0xfe, 0xff,
];
const lengths = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

/** One to eight changes of a kind that breaks readers: bits, bytes, length fields, pieces cut, doubled, moved, spliced. */
export function mutate(
  input: Uint8Array,
  other: Uint8Array,
  random: (below: number) => number,
  maxBytes: number,
): Uint8Array {
  let bytes = Uint8Array.from(input);
  const rounds = 1 << random(4);
  for (let round = 0; round < rounds; round += 1) bytes = change(bytes, other, random);
  return bytes.subarray(0, maxBytes);
}

function change(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes);
  const at = random(copy.length + 1);
  const span = Math.min(copy.length - at, 1 + random(random(4) === 0 ? 512 : 16));
  switch (random(10)) {
    case 0:
    case 1:
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << random(8));
      return copy;
    case 2:
      if (at < copy.length) copy[at] = random(256);
      return copy;
    case 3:
      if (at < copy.length) copy[at] = interesting[random(interesting.length)] ?? 0;
      return copy;
    case 4: {
      const width = [1, 2, 4][random(3)] ?? 1;
      if (at + width > copy.length) return copy;
      const view = new DataView(copy.buffer);
      const value = lengths[random(lengths.length)] ?? 0;
      const little = random(2) === 0;
      if (width === 1) view.setUint8(at, value & 0xff);
      else if (width === 2) view.setUint16(at, value & 0xffff, little);
      else view.setUint32(at, value, little);
      return copy;
    }
    case 5:
      return join(copy.subarray(0, at), copy.subarray(at + span));
    case 6:
      return join(copy.subarray(0, at), copy.subarray(at, at + span), copy.subarray(at));
    case 7: {
      const piece = Uint8Array.from({ length: 1 + random(8) }, () => random(256));
      return join(copy.subarray(0, at), piece, copy.subarray(at));
    }
    case 8: {
      const from = random(other.length + 1);
      const piece = other.subarray(from, from + 1 + random(64));
      return random(2) === 0
        ? join(copy.subarray(0, at), piece, copy.subarray(at))
        : join(copy.subarray(0, at), piece, copy.subarray(at + piece.length));
    }
    default:
      return join(copy.subarray(0, at), other.subarray(random(other.length + 1)));
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
