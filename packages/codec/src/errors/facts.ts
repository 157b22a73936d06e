import type { ErrorFacts } from './class.ts';
import { codecErrors } from './codec.ts';
import type { ErrorCode } from './registry.ts';

/**
 * The codes that this program can explain. The registry provides all of them wherever it is loaded: in Node always. What is
 * bundled for a browser leaves out what nothing refers to, so there each area provides its own codes beside the code that
 * throws them; a test looks for codes that nobody provides.
 */
const known = new Map<string, ErrorFacts>(Object.entries(codecErrors));

/** Adds tables of codes. Adding one again changes nothing. */
export function provideErrors(...tables: readonly Readonly<Record<string, ErrorFacts>>[]): void {
  for (const table of tables) for (const [code, facts] of Object.entries(table)) known.set(code, facts);
}

/** What is known of a code. */
export function factsOf(code: ErrorCode): ErrorFacts {
  return known.get(code) ?? unexplained(code);
}

/** Whether this program can explain a code: in Node, whether it is one. */
export function isKnownCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && known.has(value);
}

function unexplained(code: string): ErrorFacts {
  return { class: 'internal', message: `${code}.`, next: 'Look the code up in the documentation of Fastness.' };
}
