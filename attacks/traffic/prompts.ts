import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { randomFrom, shuffled } from './scores.ts';

export interface Prompt {
  readonly text: string;
  readonly positive: boolean;
  /** What is never on both sides of a split: the note itself. */
  readonly group: string;
}

/** The topic that is looked for: any of five specialities, against the five others. */
const looked = new Set(['mental', 'infectious', 'renal', 'gastro', 'allergy']);
const generator = fileURLToPath(new URL('../../models/triage/generate.py', import.meta.url));
const seed = 20_261_123;

/**
 * So many notes that the default model was not trained on, no two alike, the same ones in the same order every time. What a
 * note was drawn for is a property of its text, so that none of these can have been learnt from. Needs Python 3, no packages.
 */
export function prompts(count: number): Prompt[] {
  // One in twenty or so is no note of a patient, or was drawn before.
  const drawn = String(Math.ceil(count * 1.2) + 50);
  const lines = execFileSync('python3', [generator, '--count', drawn, '--seed', String(seed)], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  });
  const made = promptsFrom(lines);
  if (made.length < count) throw new RangeError(`${made.length} notes instead of ${count}.`);
  return made.slice(0, count);
}

/** The notes in lines of JSON as the model's generator writes them, each once, in an order that says nothing. */
export function promptsFrom(lines: string): Prompt[] {
  const systems = new Map(
    lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { note: string; answer: string })
      .map(({ note, answer }) => [note, /system=([a-z]+)/u.exec(answer)?.[1] ?? 'unknown'] as const)
      .filter(([, system]) => system !== 'unknown'),
  );
  const notes = [...systems].map(([text, system]) => ({ text, positive: looked.has(system), group: text }));
  return shuffled(notes, randomFrom(seed));
}
