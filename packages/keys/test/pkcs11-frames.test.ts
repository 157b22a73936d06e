import { concatBytes } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { Answers } from '../src/pkcs11/answers.ts';
import { copyFrame, encodeFrame, FrameReader, maxFrameBytes, type Frame } from '../src/pkcs11/frames.ts';
import { RequestStream } from '../src/pkcs11/requests.ts';

const frame = { request: 7, kind: 11, fields: [Uint8Array.of(1, 2, 3), new Uint8Array(0)] };

describe('frames of the child process', () => {
  it('arrive whole, however the stream cuts them', () => {
    const bytes = concatBytes(encodeFrame(frame), encodeFrame({ ...frame, request: 8 }));
    for (let size = 1; size <= bytes.length; size += 1) {
      const reader = new FrameReader();
      const frames = [];
      for (let offset = 0; offset < bytes.length; offset += size) {
        frames.push(...reader.push(bytes.slice(offset, offset + size)));
      }
      expect(frames).toEqual([frame, { ...frame, request: 8 }]);
      expect(reader.partial).toBe(false);
    }
  });

  it('wipe what they came in', () => {
    const bytes = encodeFrame(frame);
    new FrameReader().push(bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('are refused when a length in them is not what is there', () => {
    const whole = encodeFrame(frame);
    for (const [offset, value] of [
      [3, 5],
      [0, 0x7f],
      [9, 9],
      [9, 3],
      [9, 1],
      [13, 200],
      [13, 2],
    ] as const) {
      const altered = whole.slice();
      altered[offset] = value;
      // Of a length that is merely shorter the rest would be the next frame's: either is refused or waited for.
      const reader = new FrameReader();
      expect(() => reader.push(altered.slice())).toThrow(
        expect.objectContaining({ code: 'KEYS_HSM_PROTOCOL' }) as Error,
      );
    }
  });

  it('have a largest size', () => {
    expect(() => encodeFrame({ ...frame, fields: [new Uint8Array(maxFrameBytes)] })).toThrow(
      expect.objectContaining({ code: 'KEYS_HSM_PROTOCOL' }) as Error,
    );
    expect(() => encodeFrame({ ...frame, fields: Array.from({ length: 9 }, () => new Uint8Array(0)) })).toThrow(
      expect.objectContaining({ code: 'KEYS_HSM_PROTOCOL' }) as Error,
    );
  });
});

/** A stream that gives `bytes` in parts of `size`. */
function parts(bytes: Uint8Array, size: number): (target: Uint8Array, offset: number, length: number) => number {
  let given = 0;
  return (target, offset, length) => {
    const part = bytes.subarray(given, given + Math.min(size, length));
    target.set(part, offset);
    given += part.length;
    return part.length;
  };
}

describe('requests in native memory', () => {
  it('arrive whole, however the stream cuts them, and leave nothing', () => {
    const bytes = concatBytes(encodeFrame(frame), encodeFrame({ ...frame, request: 8 }));
    for (let size = 1; size <= bytes.length; size += 1) {
      const stream = new RequestStream(parts(bytes, size));
      const frames: Frame[] = [];
      while (stream.read((placed) => frames.push(copyFrame(stream.block.bytes, placed))));
      expect(frames).toEqual([frame, { ...frame, request: 8 }]);
      expect(stream.block.bytes.subarray(0, bytes.length).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('are wiped when their work fails, and refused with a length that is not there', () => {
    const bytes = encodeFrame(frame);
    const stream = new RequestStream(parts(bytes, bytes.length));
    expect(() => stream.read(() => expect.unreachable())).toThrow();
    expect(stream.block.bytes.subarray(0, bytes.length).every((byte) => byte === 0)).toBe(true);
    const altered = bytes.slice();
    altered[13] = 200;
    expect(() => new RequestStream(parts(altered, altered.length)).read(() => undefined)).toThrow(
      expect.objectContaining({ code: 'KEYS_HSM_PROTOCOL' }) as Error,
    );
  });
});

describe('answers in native memory', () => {
  it('are frames, in order, of any size, and leave nothing', () => {
    const reader = new FrameReader();
    const frames: Frame[] = [];
    let memory: Uint8Array | undefined;
    const answers = new Answers((bytes) => {
      memory ??= new Uint8Array(bytes.buffer);
      frames.push(...reader.push(bytes.slice()));
    });
    answers.begin();
    const large = new Uint8Array(200_000).fill(5);
    const made = encodeFrame({ request: 2, kind: 2, fields: [Uint8Array.of(9)] });
    answers.place(1, ({ block, offset }) => {
      block.bytes.set([1, 2, 3, 4], offset);
      return 3;
    });
    answers.put(made);
    expect(() =>
      answers.place(7, ({ block, offset }) => {
        block.bytes.fill(7, offset, offset + 100);
        throw new Error('refused');
      }),
    ).toThrow('refused');
    answers.put(encodeFrame({ request: 3, kind: 1, fields: [large] }));
    answers.flush();
    expect(frames).toEqual([
      { request: 1, kind: 1, fields: [Uint8Array.of(1, 2, 3)] },
      { request: 2, kind: 2, fields: [Uint8Array.of(9)] },
      { request: 3, kind: 1, fields: [large] },
    ]);
    expect(made.every((byte) => byte === 0)).toBe(true);
    expect(memory?.every((byte) => byte === 0)).toBe(true);
  });

  it('go out when eight are there', () => {
    let written = 0;
    const answers = new Answers(() => (written += 1));
    for (let request = 1; request <= 8; request += 1) answers.place(request, () => 0);
    expect(written).toBe(0);
    answers.settle();
    expect(written).toBe(1);
    answers.settle();
    expect(written).toBe(1);
  });
});
