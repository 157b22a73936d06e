import type { Readable } from 'node:stream';
import type { DiskSource } from './read.ts';

/** A stream of bytes, such as a connection, as what holds a model. What lies between the parts that are read is dropped. */
export function streamSource(name: string, stream: Readable): DiskSource {
  const chunks = stream.iterator() as AsyncIterator<Uint8Array>;
  let left: Uint8Array = new Uint8Array(0);
  let at = 0;
  /** Makes `left` begin at `offset`, or leaves it empty at the end. */
  const skipTo = async (offset: number): Promise<void> => {
    for (;;) {
      const drop = Math.min(offset - at, left.length);
      left = left.subarray(drop);
      at += drop;
      if (left.length > 0) return;
      const { value, done } = await chunks.next();
      if (done === true) return;
      left = value;
    }
  };
  return {
    name,
    async read(size, offset) {
      await skipTo(offset);
      const piece = left.subarray(0, size);
      left = left.subarray(piece.length);
      at += piece.length;
      return piece;
    },
    close: () => {
      stream.destroy();
      return Promise.resolve();
    },
  };
}
