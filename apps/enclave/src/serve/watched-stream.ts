import type { StreamSource } from '@fastness/channel';
import { FastnessError } from '@fastness/codec/errors';

/**
 * Passes a stream on and tells when it ended, broke, or was dropped. A reader that leaves it for `stallMs` has dropped
 * it: what it would read holds a sequence of the engine as long as it is there.
 */
export function whenClosed(source: StreamSource, done: () => void, stallMs: number): StreamSource {
  let failure: FastnessError | undefined;
  let reading = false;
  let open = true;
  const end = (): void => {
    clearTimeout(stall);
    if (open) done();
    open = false;
  };
  // One timer for all parts, wound up again after each: what fires while the producer is waited for is not meant.
  const stall = setTimeout(() => {
    if (reading || !open) return;
    failure = new FastnessError('ENCLAVE_TIME_LIMIT', 'The answer was not read.');
    end();
    void source.cancel(failure);
  }, stallMs);
  return {
    next: async () => {
      if (failure !== undefined) throw failure;
      reading = true;
      try {
        const bytes = await source.next();
        reading = false;
        if (bytes === undefined) end();
        else if (open) stall.refresh();
        return bytes;
      } catch (error) {
        end();
        throw error;
      }
    },
    cancel: async (reason) => {
      end();
      await source.cancel(reason);
    },
  };
}
