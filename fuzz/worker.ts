// Fuzzes one target in a thread of its own, so that a hang or a full heap is the end of the thread and not of the run.
import { parentPort, workerData } from 'node:worker_threads';
import { fuzz, type FuzzResult, type Target } from './engine.ts';
import { COVERAGE } from './instrument.ts';

/** What the thread is given. */
export interface Work {
  /** URL of the instrumented bundle of `targets.ts`. */
  readonly bundle: string;
  readonly places: number;
  readonly target: string;
  readonly seeds: readonly Uint8Array[];
  readonly seconds: number;
  readonly seed: number;
  readonly maxBytes: number;
  /** [number of the input, its length], and the input: what the thread works on right now. */
  readonly current: { readonly state: Int32Array; readonly input: Uint8Array };
}

/** What the thread answers with. */
export type Report = Omit<FuzzResult, 'finding'> & {
  readonly finding?: { readonly input: Uint8Array; readonly error: string };
};

const work = workerData as Work;
const coverage = new Uint8Array(work.places);
Object.assign(globalThis, { [COVERAGE]: coverage });
const { targets } = (await import(work.bundle)) as { targets: ReadonlyMap<string, Target> };
const target = targets.get(work.target);
if (target === undefined) throw new Error(`no target ${work.target}`);
const { finding, ...result } = await fuzz({
  ...work,
  target,
  coverage,
  clock: () => performance.now(),
  onInput: (input) => {
    work.current.input.set(input);
    Atomics.store(work.current.state, 1, input.length);
    Atomics.add(work.current.state, 0, 1);
  },
});
const error = finding?.error instanceof Error ? (finding.error.stack ?? finding.error.message) : String(finding?.error);
const report: Report = { ...result, ...(finding === undefined ? {} : { finding: { input: finding.input, error } }) };
// A port of a thread has no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
parentPort?.postMessage(report);
