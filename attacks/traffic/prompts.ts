import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { randomFrom } from './scores.ts';

export interface Prompt {
  readonly text: string;
  readonly positive: boolean;
  /** The note that it was made from. */
  readonly group: string;
}

/** The topic that is looked for: any of five specialities, against the five others. */
const looked = new Set(['mental', 'infectious', 'renal', 'gastro', 'allergy']);
const file = fileURLToPath(new URL('../../models/triage/heldout.jsonl', import.meta.url));

/**
 * Notes that the default model was not trained on, each in several versions with other numbers (ages, vital signs, days), in
 * an order that is the same every time.
 */
export function prompts(count: number): Prompt[] {
  const random = randomFrom(20_261_123);
  const notes = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { note: string; answer: string; prompt: string })
    .map(({ note, answer, prompt }) => ({ note, prompt, system: /system=([a-z]+)/u.exec(answer)?.[1] ?? 'unknown' }))
    .filter(({ system }) => system !== 'unknown');
  return Array.from({ length: count }, (_, index) => {
    const { note, prompt, system } = notes[index % notes.length] ?? { note: '', prompt: '', system: '' };
    const text =
      index < notes.length
        ? note
        : note.replaceAll(/\d+/gu, (digits) => {
            const changed = Number(digits) * (0.9 + random() * 0.2);
            return String(Math.max(1, Math.round(changed)));
          });
    return { text, positive: looked.has(system), group: prompt };
  });
}
