import { FastnessError } from '@fastness/codec/errors';
import type { Endorsement, Judgement } from './types.ts';

/** How long "there is none" is believed: platforms get registered, and attackers ask for what does not exist. */
const NOT_FOUND_MS = 5 * 60 * 1000;
const MAX_NOT_FOUND = 1024;

/** What services said they do not have. */
export class NotFound {
  readonly #until = new Map<string, number>();

  /** Throws ENDORSEMENT_NOT_FOUND while the answer is believed. */
  refuse(subject: string, time: number): void {
    if ((this.#until.get(subject) ?? 0) > time) {
      throw new FastnessError('ENDORSEMENT_NOT_FOUND', `${subject}: the service said so a moment ago.`);
    }
  }

  remember(subject: string, time: number): void {
    if (this.#until.size >= MAX_NOT_FOUND) this.#until.clear();
    this.#until.set(subject, time + NOT_FOUND_MS);
  }
}

/** Both ends included. Throws ENDORSEMENT_STALE. */
export function requireCurrent(subject: string, { issued, expires }: Judgement, now: Date): void {
  if (issued > now) {
    throw new FastnessError(
      'ENDORSEMENT_STALE',
      `${subject}: from ${issued.toISOString()}, and it is ${now.toISOString()}.`,
    );
  }
  if (expires !== undefined && now > expires) {
    throw new FastnessError(
      'ENDORSEMENT_STALE',
      `${subject}: until ${expires.toISOString()}, and it is ${now.toISOString()}.`,
    );
  }
}

/** Of two copies the one that was issued later. */
export function newer(a: Endorsement | undefined, b: Endorsement | undefined): Endorsement | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.judgement.issued > a.judgement.issued ? b : a;
}
