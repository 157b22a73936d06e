// Faults to find: behind a prefix that only guidance reaches, an input that never ends, one that eats the heap.
import type { Target } from '../engine.ts';

const fault: Target = (input) => {
  if (input[0] === 0x66) {
    if (input[1] === 0x6f) {
      if (input[2] === 0x72) {
        if (input[3] === 0x74) throw new Error('planted');
      }
    }
  }
};

const hang: Target = (input) => {
  for (;;) if (input.length < 3) return;
};

const heap: Target = (input) => {
  const kept: number[][] = [];
  while (input.length > 2) kept.push(Array.from({ length: 1 << 16 }, (_, index) => index + 0.5));
};

const sound: Target = () => undefined;

export const targets: ReadonlyMap<string, Target> = new Map([
  ['fault', fault],
  ['hang', hang],
  ['heap', heap],
  ['sound', sound],
]);
