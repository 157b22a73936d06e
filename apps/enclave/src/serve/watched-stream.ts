import { FastnessError } from '@fastness/codec/errors';

/**
 * Passes a stream on and tells when it ended, broke, or was dropped. A reader that leaves it for `stallMs` has dropped
 * it: what it would read holds a sequence of the engine as long as it is there.
 */
export function whenClosed(
  stream: ReadableStream<Uint8Array>,
  done: () => void,
  stallMs: number,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  let stall: NodeJS.Timeout | undefined;
  const end = (): void => {
    clearTimeout(stall);
    done();
  };
  const wait = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    stall = setTimeout(() => {
      const reason = new FastnessError('ENCLAVE_TIME_LIMIT', 'The answer was not read.');
      controller.error(reason);
      done();
      void reader.cancel(reason).catch(() => {});
    }, stallMs);
  };
  return new ReadableStream<Uint8Array>(
    {
      start: wait,
      async pull(controller) {
        clearTimeout(stall);
        try {
          const { value, done: ended } = await reader.read();
          if (!ended) {
            controller.enqueue(value);
            wait(controller);
            return;
          }
          controller.close();
          end();
        } catch (error) {
          controller.error(error);
          end();
        }
      },
      async cancel(reason) {
        end();
        await reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}
