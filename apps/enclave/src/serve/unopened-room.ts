import { FastnessError } from '@fastness/codec/errors';

export const defaultUnopenedBytes = 64 * 2 ** 20;

/**
 * Bytes of requests that are held before anybody can tell them from noise, all together. A request in one piece opens when its
 * last byte is here, so whoever sends noise would fill the memory of the enclave; with this they fill a room that chunked
 * requests never enter.
 */
export class UnopenedRoom {
  readonly #bytes: number;
  #held = 0;

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  get held(): number {
    return this.#held;
  }

  /** The same stream. It fails with ENCLAVE_BUSY where there is no room for more of it; what it took is free when it ends. */
  hold(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    let own = 0;
    const free = (): void => {
      this.#held -= own;
      own = 0;
    };
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const { value, done } = await reader.read();
            if (done) {
              free();
              controller.close();
              return;
            }
            if (this.#held + value.length > this.#bytes) {
              throw new FastnessError('ENCLAVE_BUSY', 'There is no room for more requests in one piece.');
            }
            this.#held += value.length;
            own += value.length;
            controller.enqueue(value);
          } catch (error) {
            free();
            controller.error(error);
            await reader.cancel(error).catch(() => undefined);
          }
        },
        cancel: async (reason) => {
          free();
          await reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }
}
