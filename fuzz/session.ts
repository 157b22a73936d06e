import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { instrument } from './instrument.ts';
import type { Report, Work } from './worker.ts';

const HEAP_MEBIBYTES = 512;
/** How long one input may take before it counts as a hang. Generous, as machines are shared. */
const HANG_MS = 20_000;

export interface Session extends AsyncDisposable {
  readonly run: (options: {
    readonly target: string;
    readonly seeds: readonly Uint8Array[];
    readonly seconds: number;
    readonly seed: number;
    readonly maxBytes?: number;
    readonly signal?: AbortSignal;
  }) => Promise<Report>;
}

/** Bundles and instruments a module that exports `targets`, once for many runs. */
export async function openSession(
  entry: URL,
  options: { readonly include?: RegExp; readonly hangMs?: number } = {},
): Promise<Session> {
  const folder = await mkdtemp(join(tmpdir(), 'fastness-fuzz-'));
  const { code, places } = await instrument(entry, options.include);
  const bundle = join(folder, 'targets.mjs');
  await writeFile(bundle, code);
  return {
    run: async ({ target, seeds, seconds, seed, maxBytes = 65_536, signal }) => {
      const state = new Int32Array(new SharedArrayBuffer(8));
      const input = new Uint8Array(new SharedArrayBuffer(maxBytes));
      const work: Work = {
        bundle: pathToFileURL(bundle).href,
        places,
        target,
        seeds: seeds.map((bytes) => Uint8Array.from(bytes.subarray(0, maxBytes))),
        seconds,
        seed,
        maxBytes,
        current: { state, input },
      };
      return runThread(work, options.hangMs ?? HANG_MS, signal);
    },
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}

async function runThread(work: Work, hangMs: number, signal: AbortSignal | undefined): Promise<Report> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData: work,
    execArgv: ['--conditions=source', '--disable-warning=ExperimentalWarning'],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEBIBYTES },
  });
  const { state, input } = work.current;
  const lost = (error: string): Report => {
    const last = Uint8Array.from(input.subarray(0, Atomics.load(state, 1)));
    const runs = Atomics.load(state, 0);
    return {
      runs,
      corpus: [],
      places: 0,
      slowest: { milliseconds: 0, input: new Uint8Array() },
      ...(runs === 0 ? {} : { finding: { input: last, error } }),
    };
  };
  let watch: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Report>((resolve, reject) => {
      let before = -1;
      watch = setInterval(() => {
        const count = Atomics.load(state, 0);
        if (count === before && count > 0) resolve(lost(`no end within ${hangMs / 1000} s`));
        before = count;
      }, hangMs);
      signal?.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
      worker.once('message', resolve);
      worker.once('error', (error: Error) => {
        if (Atomics.load(state, 0) === 0) reject(error);
        else resolve(lost(error.message));
      });
    });
  } finally {
    clearInterval(watch);
    await worker.terminate();
  }
}
