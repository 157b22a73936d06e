import { parentPort } from 'node:worker_threads';
import { createProcessor, type Job } from './job.ts';
import { failureOf, type JobFailure } from './failure.ts';
import { sharedStateOf } from './shared-state.ts';

/** What the pool sends a helper thread, and what it answers. File descriptors belong to the process, not to a thread. */
export interface HelperRequest {
  readonly id: number;
  readonly helper: number;
  readonly job: Job;
  readonly shared: SharedArrayBuffer;
}

export interface HelperReply {
  readonly id: number;
  readonly failure?: JobFailure;
}

parentPort?.on('message', ({ id, helper, job, shared: buffer }: HelperRequest) => {
  const failure = work(helper, job, buffer);
  const reply: HelperReply = failure === undefined ? { id } : { id, failure };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(reply);
});

function work(helper: number, job: Job, buffer: SharedArrayBuffer): JobFailure | undefined {
  const shared = sharedStateOf(buffer);
  if (!shared.enter(helper)) return undefined;
  using processor = createProcessor(job, shared);
  try {
    while (processor.step());
    return undefined;
  } catch (error) {
    shared.stop();
    return failureOf(processor.item, error);
  }
}
