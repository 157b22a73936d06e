import { concatBytes } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, maxFrameBytes } from '../src/pkcs11/frames.ts';

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
