import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { FastnessError } from '@fastness/codec/errors';
import { failureOf, firstFailure, type JobFailure } from './failure.ts';
import { createProcessor, extentOf, type Job } from './job.ts';
import { newSharedState, type SharedState } from './shared-state.ts';
import type { HelperReply, HelperRequest } from './worker.ts';

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes done so far in this job; called near the start, at most every 50 ms, and at the end. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Threads that work on one job at a time. Dispose it (`await using`) to end them. */
export interface ThreadPool extends AsyncDisposable {
  /**
   * Runs a job to its end. Errors: the failure of the job's lowest failed item; SEAL_CANCELLED when the signal fired;
   * SEAL_WORKER. When it settles no thread touches the job's descriptors any more.
   */
  run(job: Job, options: RunOptions): Promise<void>;
}

const maxThreads = 64;
/** Below this many bytes for each thread a helper costs more than it saves: it takes some 30 ms to start. */
const bytesPerHelper = 16 * 1024 * 1024;
const progressInterval = 50;

/** @throws SEAL_THREADS */
function threadCount(threads: number | undefined): number {
  // More than four only fight over memory bandwidth and the target file's lock.
  if (threads === undefined) return Math.min(4, availableParallelism());
  if (Number.isSafeInteger(threads) && threads >= 1 && threads <= maxThreads) return threads;
  throw new FastnessError('SEAL_THREADS');
}

/**
 * `threads` counts the calling thread, which works too (in steps of about a millisecond, so that its event loop keeps
 * turning) and alone does all of a small job. Helpers start with the first job that is large enough, and stay.
 * @throws SEAL_THREADS
 */
export function createThreadPool(threads?: number): ThreadPool {
  const helperCount = threadCount(threads) - 1;
  const helpers: Helper[] = [];
  let lastId = 0;
  let tail: Promise<unknown> = Promise.resolve();

  async function runNow(job: Job, options: RunOptions): Promise<void> {
    const { items, bytes } = extentOf(job);
    const wanted = Math.min(helperCount, Math.max(0, items - 1), Math.floor(bytes / bytesPerHelper));
    while (helpers.length < wanted) helpers.push(startHelper());
    const shared = newSharedState(wanted);
    lastId += 1;
    const replies = helpers
      .slice(0, wanted)
      .map((helper, index) => helper.send({ id: lastId, helper: index, job, shared: shared.buffer }));
    const failures: JobFailure[] = [];
    const cancelled = await workHere(job, shared, failures, options);
    shared.close();
    for (const [index, reply] of replies.entries()) {
      // One that has not begun never will, and is not waited for.
      const failure = shared.entered(index) ? await reply : undefined;
      if (failure !== undefined) failures.push(failure);
    }
    const failure = firstFailure(failures);
    if (failure !== undefined) throw failure;
    if (cancelled) throw new FastnessError('SEAL_CANCELLED', undefined, { cause: options.signal?.reason });
    options.onProgress?.(shared.bytes());
  }

  return {
    run(job, options) {
      const result = tail.then(() => runNow(job, options));
      tail = result.catch(() => undefined);
      return result;
    },
    async [Symbol.asyncDispose]() {
      await tail;
      await Promise.all(helpers.map((helper) => helper.end()));
    },
  };
}

/** The calling thread's part. Whether it was cancelled. */
async function workHere(
  job: Job,
  shared: SharedState,
  failures: JobFailure[],
  { signal, onProgress }: RunOptions,
): Promise<boolean> {
  using processor = createProcessor(job, shared);
  const cancelled = (): boolean => signal?.aborted ?? false;
  let reported = Number.NEGATIVE_INFINITY;
  try {
    while (!cancelled() && processor.step()) {
      const now = performance.now();
      if (now - reported >= progressInterval) {
        reported = now;
        onProgress?.(shared.bytes());
      }
      await nextTurn();
    }
  } catch (error) {
    failures.push(failureOf(processor.item, error));
    shared.stop();
  }
  if (cancelled()) shared.stop();
  return cancelled();
}

interface Helper {
  /** Resolves when the helper is through with the job, with what failed. */
  send(request: HelperRequest): Promise<JobFailure | undefined>;
  end(): Promise<void>;
}

function startHelper(): Helper {
  // The same code runs from source, where Node strips the types and @fastness/* resolves by the condition `source`.
  const fromSource = import.meta.url.endsWith('.ts');
  const worker = new Worker(new URL(fromSource ? './worker.ts' : './worker.js', import.meta.url), {
    ...(fromSource ? { execArgv: ['--conditions=source'] } : {}),
    env: {},
    name: 'fastness-segments',
  });
  const waiting = new Map<number, (failure: JobFailure | undefined) => void>();
  let dead: JobFailure | undefined;
  const die = (error: unknown): void => {
    dead ??= { item: -1, code: 'SEAL_WORKER', detail: error instanceof Error ? error.message : String(error) };
    for (const resolve of waiting.values()) resolve(dead);
    waiting.clear();
  };
  worker.on('message', ({ id, failure }: HelperReply) => {
    waiting.get(id)?.(failure);
    waiting.delete(id);
  });
  worker.on('error', die);
  worker.on('exit', (code) => die(new Error(`exit ${code}`)));
  return {
    send(request) {
      if (dead !== undefined) return Promise.resolve(dead);
      const { promise, resolve } = Promise.withResolvers<JobFailure | undefined>();
      waiting.set(request.id, resolve);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage(request);
      return promise;
    },
    end: async () => void (await worker.terminate()),
  };
}
