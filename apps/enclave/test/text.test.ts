import { describe, expect, it } from 'vitest';
import { FastnessError } from '@fastness/codec/errors';
import { DeltaBuffer } from '../src/engine/delta-buffer.ts';
import { engineMessage } from '../src/engine/engine-message.ts';
import { softmax } from '../src/engine/onnx-output.ts';
import { Slots } from '../src/engine/slots.ts';
import { StopMatcher } from '../src/engine/stop-matcher.ts';
import { TokenText } from '../src/engine/token-text.ts';
import { codeOfAsync } from './codes.ts';

/** A tokeniser whose tokens are bytes. */
const byBytes = (tokens: readonly number[]): string => new TextDecoder().decode(Uint8Array.from(tokens));

describe('a stop matcher', () => {
  it('finds a sequence that is cut across pieces and hands on nothing of it', () => {
    const matcher = new StopMatcher(['END', 'stop here']);
    expect(matcher.push('one E')).toEqual({ text: 'one ', stopped: false });
    expect(matcher.push('N')).toEqual({ text: '', stopped: false });
    expect(matcher.push('D two')).toEqual({ text: '', stopped: true });
  });

  it('hands on what it held back once it turns out to be something else', () => {
    const matcher = new StopMatcher(['aab']);
    expect(matcher.push('aa').text).toBe('');
    expect(matcher.push('a').text).toBe('a');
    expect(matcher.push('c').text).toBe('aac');
    expect(matcher.push('a').text).toBe('');
    expect(matcher.flush()).toBe('a');
  });

  it('takes the earliest of several', () => {
    expect(new StopMatcher(['cd', 'b']).push('abcd')).toEqual({ text: 'a', stopped: true });
  });
});

describe('the text of tokens', () => {
  it('waits for the rest of a character', () => {
    const text = new TokenText(byBytes);
    const [first = 0, second = 0, third = 0] = new TextEncoder().encode('€');
    text.add(0x61);
    text.add(first);
    expect(text.take()).toBe('a');
    text.add(second);
    expect(text.take()).toBe('');
    text.add(third);
    expect(text.take()).toBe('€');
  });

  it('hands on a character that stays broken', () => {
    const text = new TokenText(byBytes);
    text.add(0xe2);
    expect(text.take()).toBe('');
    expect(text.take(true)).toBe('\uFFFD');
    for (let count = 0; count < 6; count++) text.add(0xff);
    expect(text.take().length).toBeGreaterThan(0);
  });
});

describe('a delta buffer', () => {
  const slow = { tokensPerDelta: 4, maxDelayMs: 60_000 };

  it('gathers tokens into deltas of one size', () => {
    const buffer = new DeltaBuffer(byBytes, [], slow);
    const deltas = [];
    for (const token of new TextEncoder().encode('abcdefghij')) {
      buffer.add(token);
      const delta = buffer.take();
      if (delta !== undefined) deltas.push(delta);
    }
    deltas.push(buffer.finish());
    expect(deltas).toEqual([
      { kind: 'delta', text: 'abcd', tokens: 4 },
      { kind: 'delta', text: 'efgh', tokens: 4 },
      { kind: 'delta', text: 'ij', tokens: 2 },
    ]);
  });

  it('ends at a stop sequence inside a delta', () => {
    const buffer = new DeltaBuffer(byBytes, ['cd'], slow);
    for (const token of new TextEncoder().encode('abcd')) buffer.add(token);
    expect(buffer.stopped).toBe(true);
    expect(buffer.finish()).toEqual({ kind: 'delta', text: 'ab', tokens: 4 });
  });
});

describe('slots', () => {
  const never = new AbortController().signal;

  it('serve first come first, and refuse when the queue is full', async () => {
    const slots = new Slots(['a'], 1);
    const item = await slots.acquire(never);
    const second = slots.acquire(never);
    expect(await codeOfAsync(slots.acquire(never))).toBe('ENCLAVE_BUSY');
    slots.release(item);
    expect(await second).toBe('a');
  });

  it('let a request leave the queue', async () => {
    const slots = new Slots(['a'], 1);
    const item = await slots.acquire(never);
    const controller = new AbortController();
    const waiting = slots.acquire(controller.signal);
    controller.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    slots.release(item);
    expect(await slots.acquire(never)).toBe('a');
  });

  it('fail everyone once closed', async () => {
    const slots = new Slots(['a'], 1);
    await slots.acquire(never);
    const waiting = slots.acquire(never);
    slots.close(new FastnessError('ENCLAVE_NOT_SERVING'));
    expect(await codeOfAsync(waiting)).toBe('ENCLAVE_NOT_SERVING');
    expect(await codeOfAsync(slots.acquire(never))).toBe('ENCLAVE_NOT_SERVING');
  });
});

describe('small things', () => {
  it('softmax does not overflow', () => {
    const scores = softmax(new Float32Array([1000, 1000, -1000]));
    expect([...scores]).toEqual([0.5, 0.5, 0]);
  });

  it('an engine’s message is one bounded line without control characters', () => {
    const message = engineMessage(new Error(`bad\n\u001B[31m file /proc/self/fd/42 ${'x'.repeat(1000)}`));
    expect(message).toMatch(/^bad \[31m file the model x+\.\.\.$/u);
    expect(message.length).toBeLessThan(310);
  });
});
