import type { FloeStart } from '../floe/header.ts';
import { createThreadPool, type RunOptions, type ThreadPool } from '../threads/pool.ts';
import type { SegmentJob } from '../threads/job.ts';

export interface RunSegmentsOptions extends RunOptions {
  readonly threads?: number | undefined;
  readonly pool?: ThreadPool | undefined;
}

/** Runs one file's segments on the threads given, or on threads of its own; the shared copy of the message key is wiped. */
export async function runSegments(
  { start, ...job }: Omit<SegmentJob, 'context' | 'messageKey'> & { readonly start: FloeStart },
  { threads, pool, ...run }: RunSegmentsOptions,
): Promise<void> {
  const messageKey = new Uint8Array(new SharedArrayBuffer(start.messageKey.length));
  messageKey.set(start.messageKey);
  const { segmentSize, iv, aad } = start;
  const used = pool ?? createThreadPool(threads);
  try {
    await used.run({ ...job, context: { segmentSize, iv, aad }, messageKey }, run);
  } finally {
    messageKey.fill(0);
    if (used !== pool) await used[Symbol.asyncDispose]();
  }
}
