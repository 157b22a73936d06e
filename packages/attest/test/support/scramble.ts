/** Changes up to eight runs of bytes as a seed says: overwrites, cuts or doubles them. The same seed gives the same bytes. */
export function scramble(bytes: Uint8Array, seed: number): Uint8Array {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  const next = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const scrambled = Array.from(bytes);
  for (let count = 1 + next(8); count > 0; count -= 1) {
    const at = next(scrambled.length + 1);
    const run = 1 + next(16);
    const kind = next(4);
    if (kind === 0) scrambled.splice(at, run);
    else if (kind === 1) scrambled.splice(at, 0, ...scrambled.slice(at, at + run));
    else if (at < scrambled.length)
      scrambled[at] = kind === 2 ? next(256) : ([0, 0x1f, 0x5f, 0x7f, 0x9f, 0xbf, 0xff][next(7)] ?? 0);
  }
  return Uint8Array.from(scrambled);
}
