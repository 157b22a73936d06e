import type { FloeStart } from '../floe/header.ts';
import type { RunOptions, ThreadPool } from '../threads/pool.ts';
import type { SegmentJob } from '../threads/job.ts';

/** Runs one file's segments on the threads given; the copy of the message key that they share is wiped. */
export async function runSegments(
  { start, ...job }: Omit<SegmentJob, 'context' | 'messageKey'> & { readonly start: FloeStart },
  { pool, ...run }: RunOptions & { readonly pool: ThreadPool },
): Promise<void> {
  const messageKey = new Uint8Array(new SharedArrayBuffer(start.messageKey.length));
  messageKey.set(start.messageKey);
  const { segmentSize, iv, aad } = start;
  try {
    await pool.run({ ...job, context: { segmentSize, iv, aad }, messageKey }, run);
  } finally {
    messageKey.fill(0);
  }
}
