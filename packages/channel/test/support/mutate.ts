import { concatBytes, equalBytes } from '@fastness/codec/bytes';
import { randomBytesFrom } from './bytes.ts';

type Random = () => number;

/** Ways to change a sealed message: `frames` are its pieces in order, the first its prefix with the first chunk. */
const mutations: readonly ((random: Random, frames: Uint8Array[]) => Uint8Array[])[] = [
  // A bit flips anywhere.
  (random, frames) => {
    const whole = concatBytes(...frames);
    const at = pick(random, whole.length);
    whole[at] = (whole[at] ?? 0) ^ (1 << pick(random, 8));
    return [whole];
  },
  // The end is cut off.
  (random, frames) => {
    const whole = concatBytes(...frames);
    return [whole.subarray(0, pick(random, whole.length))];
  },
  // Bytes are put in, taken out or overwritten.
  (random, frames) => {
    const whole = concatBytes(...frames);
    const at = pick(random, whole.length + 1);
    const put = randomBytesFrom(random, 1 + pick(random, 40));
    return [whole.subarray(0, at), put, whole.subarray(at)];
  },
  (random, frames) => {
    const whole = concatBytes(...frames);
    const at = pick(random, whole.length);
    return [whole.subarray(0, at), whole.subarray(at + 1 + pick(random, 40))];
  },
  (random, frames) => {
    const whole = concatBytes(...frames);
    const put = randomBytesFrom(random, 1 + pick(random, 60));
    whole.set(put.subarray(0, whole.length), pick(random, Math.max(1, whole.length - put.length)));
    return [whole];
  },
  // Frames change places, are repeated, or are left out.
  (random, frames) => {
    const changed = [...frames];
    const [one, other] = [pick(random, frames.length), pick(random, frames.length)];
    [changed[one], changed[other]] = [frames[other] ?? new Uint8Array(0), frames[one] ?? new Uint8Array(0)];
    return changed;
  },
  (random, frames) => frames.flatMap((frame, at) => (at === pick(random, frames.length) ? [frame, frame] : [frame])),
  (random, frames) => frames.filter(() => random() > 1 / frames.length),
];

/** A changed message; never the one it was. */
export function mutate(random: Random, frames: Uint8Array[]): Uint8Array {
  const original = concatBytes(...frames);
  for (;;) {
    const mutation = mutations[pick(random, mutations.length)];
    const changed = concatBytes(...(mutation?.(random, frames) ?? []));
    if (!equalBytes(changed, original)) return changed;
  }
}

function pick(random: Random, below: number): number {
  return Math.floor(random() * below);
}
