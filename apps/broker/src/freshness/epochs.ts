import { FastnessError } from '@fastness/codec/errors';
import type { FreshState } from '@fastness/evidence/freshness';
import type { AuditHead } from '../audit/entry.ts';
import { encodeHead } from './head.ts';

/** Groups changes into steps of the anchor, because real TPMs are slow and wear out. */
export interface Epochs {
  /** Why nothing more can be anchored, once that happened. */
  readonly failure: FastnessError | undefined;
  /**
   * Tells that the state has reached an entry of the log, committed. With `wait` it resolves when a step of the anchor covers
   * the entry; those that wait at once share a step. Without, the step comes at the end of the epoch. Throws FRESHNESS_....
   */
  reached(head: AuditHead, options: { readonly wait: boolean }): Promise<void>;
  /** Anchors what is left, and stops. */
  close(): Promise<void>;
}

interface Waiting {
  readonly seq: number;
  resolve(): void;
  reject(error: FastnessError): void;
}

/** @param options.epochMs the longest time for which a change that nobody waits for is not anchored */
export function createEpochs(options: {
  readonly state: FreshState;
  readonly epochMs: number;
  readonly report: (error: unknown) => void;
}): Epochs {
  const { state, epochMs, report } = options;
  let latest: AuditHead | undefined;
  let anchored = 0;
  let waiting: Waiting[] = [];
  let failure: FastnessError | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  const steps = async (): Promise<void> => {
    for (;;) {
      clearTimeout(timer);
      timer = undefined;
      const target = latest;
      if (target === undefined || target.seq <= anchored) break;
      try {
        await state.advance(encodeHead(target));
      } catch (error) {
        failure = error instanceof FastnessError ? error : new FastnessError('FRESHNESS_UNAVAILABLE');
        report(error);
        for (const each of waiting) each.reject(failure);
        waiting = [];
        break;
      }
      anchored = target.seq;
      for (const each of waiting.filter(({ seq }) => seq <= anchored)) each.resolve();
      waiting = waiting.filter(({ seq }) => seq > anchored);
      if (waiting.length === 0) break;
    }
    // In the same turn as the last look at `waiting`: who comes later starts anew.
    running = undefined;
    schedule();
  };
  const start = (): Promise<void> => (running ??= steps());
  const schedule = (): void => {
    if (failure !== undefined || running !== undefined || latest === undefined || latest.seq <= anchored) return;
    if (timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      void start();
    }, epochMs);
    timer.unref();
  };

  return {
    get failure() {
      return failure;
    },
    async reached(head, { wait }) {
      if (failure !== undefined) throw failure;
      if (latest === undefined || head.seq > latest.seq) latest = head;
      if (!wait) return schedule();
      const covered = new Promise<void>((resolve, reject) => {
        waiting.push({ seq: head.seq, resolve, reject });
      });
      void start();
      await covered;
    },
    async close() {
      clearTimeout(timer);
      timer = undefined;
      await running;
      if (failure === undefined && latest !== undefined && latest.seq > anchored) await start();
      clearTimeout(timer);
    },
  };
}
