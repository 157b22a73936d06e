import { describe, expect, it } from 'vitest';
import { FramePacker } from '../src/serve/traffic/frame-packer.ts';
import { nextStep, type Pace } from '../src/serve/traffic/pace.ts';
import { leastFramesFor, roundedFrames, shapeOf, type TrafficShape } from '../src/serve/traffic/shape.ts';
import { shapedStream, type EventSink } from '../src/serve/traffic/shaped-stream.ts';
import { shapedAnswer } from '../src/serve/traffic/whole-answer.ts';
import { allowedBy } from '../src/serve/inner/allowed.ts';
import type { ApiLimits } from '../src/serve/inner/limits.ts';

const strict = shapeOf('strict') as TrafficShape;
const textEvent = (text: string): string => `data: ${JSON.stringify({ text })}\n\n`;
const decode = (bytes: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(bytes);

/** A reader of server-sent events, as far as these tests need one. */
const textOf = (stream: string): string =>
  [...stream.matchAll(/^data: (\{.*\})$/gmu)]
    .map(([, json]) => (JSON.parse(json ?? '') as { text: string }).text)
    .join('');

/** Time that passes only when somebody waits for it. */
function virtualPace(): Pace & { waits: number[] } {
  let time = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => time,
    wait: (milliseconds) => {
      waits.push(milliseconds);
      time += milliseconds;
      return Promise.resolve();
    },
  };
}

async function framesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for await (const frame of stream) frames.push(frame);
  return frames;
}

const streamOf = (produce: (sink: EventSink) => Promise<void>, pace: Pace, maxTokens: number | undefined = 1) =>
  shapedStream({ shape: strict, maxTokens, textEvent, produce, cancel: () => {}, pace });

describe('the number of frames', () => {
  it('is rounded up, in steps that a profile states', () => {
    expect([1, 8, 9, 16, 17, 100].map((count) => roundedFrames(count, strict))).toEqual([8, 8, 16, 16, 32, 128]);
    const balanced = shapeOf('balanced') as TrafficShape;
    expect([1, 2, 3, 5, 9, 17, 33].map((count) => roundedFrames(count, balanced))).toEqual([2, 2, 3, 5, 10, 20, 40]);
  });

  it('is decided by what the request allows where the profile is strict, and by the answer where it is not', () => {
    expect([1, 64, 65, 128, 300, 2048, undefined].map((tokens) => leastFramesFor(strict, tokens))).toEqual([
      8, 8, 16, 16, 64, 256, 32,
    ]);
    const balanced = shapeOf('balanced') as TrafficShape;
    expect([1, 2048, undefined].map((tokens) => leastFramesFor(balanced, tokens))).toEqual([2, 2, 2]);
  });

  it('can be slowed down by a configuration and not sped up', () => {
    expect(shapeOf('off', 500)).toBeUndefined();
    expect(shapeOf('strict', 25)).toBe(strict);
    expect(shapeOf('strict', 500)).toEqual({ ...strict, frameMs: 500 });
  });
});

describe('packing frames', () => {
  it('shares events, cuts text at characters and fills with comments, whatever the sizes', () => {
    const text = 'aß€😀"\\\n\u0001'.repeat(40);
    for (let size = 64; size < 300; size += 1) {
      const packer = new FramePacker(size, textEvent);
      packer.event('data: {"text":"start"}\n\n');
      for (const piece of text.match(/.{1,7}/gsu) ?? []) packer.text(piece);
      packer.event('data: {"text":"end"}\n\n');
      let stream = '';
      let frames = 0;
      while (!packer.empty) {
        const frame = packer.frame();
        expect(frame.length).toBe(size);
        stream += decode(frame);
        frames += 1;
        if (frames > 2000) throw new Error('no end');
      }
      expect(textOf(stream)).toBe(`start${text}end`);
      expect(packer.queued).toBe(0);
    }
  });

  it('makes an empty frame of a comment, also where one byte is left', () => {
    expect(decode(new FramePacker(64, textEvent).frame())).toMatch(/^: *\n$/u);
    const packer = new FramePacker(64, textEvent);
    packer.event(`data: ${'x'.repeat(55)}\n\n`);
    expect(decode(packer.frame())).toMatch(/x\n\n\n$/u);
  });
});

describe('a shaped stream', () => {
  it('looks the same for answers of all lengths that the request allows, made at once or slowly', async () => {
    const seen = new Set<string>();
    for (const text of ['a', 'word '.repeat(20), 'word '.repeat(600)]) {
      for (const pieces of [[text], [text.slice(0, 1), text.slice(1, 2), text.slice(2)]]) {
        const pace = virtualPace();
        const stream = streamOf(
          async (sink) => {
            for (const piece of pieces) await sink.text(piece);
            await sink.event('data: [DONE]\n\n');
          },
          pace,
          128,
        );
        const frames = await framesOf(stream);
        expect(textOf(frames.map(decode).join(''))).toBe(text);
        seen.add(JSON.stringify([frames.map(({ length }) => length), pace.waits]));
      }
    }
    expect([...seen]).toEqual([
      JSON.stringify([Array.from({ length: 16 }, () => 512), Array.from({ length: 15 }, () => 50)]),
    ]);
  });

  it('sends empty frames while the engine thinks', async () => {
    const pace = virtualPace();
    const think = Promise.withResolvers<void>();
    const reader = streamOf(async (sink) => {
      await think.promise;
      await sink.text('late');
    }, pace).getReader();
    for (let count = 0; count < 5; count += 1) {
      const { value } = await reader.read();
      expect(decode(value ?? new Uint8Array())).toMatch(/^: *\n$/u);
    }
    think.resolve();
    await think.promise;
    const rest: string[] = [];
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      rest.push(decode(value));
    }
    expect(textOf(rest.join(''))).toBe('late');
    expect(5 + rest.length).toBe(8);
  });

  it('holds an engine back that is faster than the frames, and loses nothing', async () => {
    const pieces = 2000;
    let made = 0;
    const reader = streamOf(async (sink) => {
      for (; made < pieces; made += 1) await sink.text('0123456789');
    }, virtualPace()).getReader();
    await reader.read();
    expect(made * 10).toBeLessThan(10 * strict.frameBytes);
    let text = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      text += decode(value);
    }
    expect(made).toBe(pieces);
    expect(textOf(text).length).toBeGreaterThan(pieces * 10 - 1024);
  });

  it('starts its pace anew after a reader paused, instead of making up for it', async () => {
    const pace = virtualPace();
    const reader = streamOf(async (sink) => sink.text('x'.repeat(5000)), pace).getReader();
    await reader.read();
    await pace.wait(1000);
    pace.waits.length = 0;
    await reader.read();
    await reader.read();
    await reader.read();
    expect(pace.waits).toEqual([50, 50]);
  });

  it('tells the engine when its reader goes away, waiting or not', async () => {
    for (const text of ['x', 'x'.repeat(100_000)]) {
      const cancelled: unknown[] = [];
      const ended = Promise.withResolvers<void>();
      const stream = shapedStream({
        shape: strict,
        maxTokens: undefined,
        textEvent,
        produce: async (sink) => {
          await sink.text(text);
          ended.resolve();
        },
        cancel: (reason) => void cancelled.push(reason),
        pace: virtualPace(),
      });
      const reader = stream.getReader();
      await reader.read();
      await reader.cancel('gone');
      await ended.promise;
      expect(cancelled).toEqual(['gone']);
    }
  });
});

describe('a whole answer', () => {
  it('leaves at a step since its request, at one size, whatever it says', async () => {
    const seen = new Set<string>();
    for (const [status, text, took] of [
      [200, '{"text":"short"}', 3],
      [200, JSON.stringify({ text: 'x'.repeat(3000) }), 199],
      [429, '{"error":{}}', 0],
    ] as const) {
      const pace = virtualPace();
      await pace.wait(took);
      const answer = await shapedAnswer(
        new Response(text, { status, headers: { 'content-type': 'application/json' } }),
        {
          began: 0,
          shape: strict,
          signal: new AbortController().signal,
          pace,
        },
      );
      expect(answer.status).toBe(status);
      const bytes = new Uint8Array(await answer.arrayBuffer());
      expect(JSON.parse(decode(bytes))).toEqual(JSON.parse(text));
      seen.add(`${bytes.length} at ${pace.now()}`);
    }
    expect([...seen]).toEqual(['4096 at 200']);
  });

  it('leaves when its stream would have ended, however long the engine took, and so does its refusal', async () => {
    const times = new Map<string, Set<number>>();
    for (const [allowed, took] of [
      [64, 3],
      [64, 549],
      [65, 3],
      [65, 949],
      // No limit: the least is that of 256 tokens.
      [undefined, 3],
      [undefined, 1749],
      // An engine that falls behind doubles it.
      [64, 551],
      [64, 900],
    ] as const) {
      const pace = virtualPace();
      await pace.wait(took);
      const options = { began: 0, shape: strict, signal: new AbortController().signal, pace };
      await shapedAnswer(Response.json({}), { ...options, generated: { maxTokens: allowed } });
      const name = `${allowed} ${took > 550 && allowed === 64 ? 'late' : 'in time'}`;
      times.set(name, (times.get(name) ?? new Set()).add(pace.now()));
    }
    expect([...times].map(([name, seen]) => `${name}: ${[...seen].join()}`)).toEqual([
      '64 in time: 550',
      '65 in time: 950',
      'undefined in time: 1750',
      '64 late: 950',
    ]);
  });

  it('reads what a request allows from a copy, whatever else is wrong with it', async () => {
    const limits = { bodyBytes: 200, maxTokens: 100 } as ApiLimits;
    const ask = (body: string, path = '/v1/chat/completions', method = 'POST') =>
      new Request(`https://enclave.invalid${path}`, { method, ...(method === 'POST' ? { body } : {}) });
    const request = ask('{"max_tokens":7,"n":9}');
    expect(await allowedBy(request, limits)).toEqual({ maxTokens: 7 });
    expect(await request.json()).toEqual({ max_tokens: 7, n: 9 });
    expect(await allowedBy(ask('{"max_tokens":7,"max_completion_tokens":9}'), limits)).toEqual({ maxTokens: 9 });
    expect(await allowedBy(ask('{"max_tokens":100000}'), limits)).toEqual({ maxTokens: 100 });
    for (const body of ['{}', '{"max_tokens":-1}', '{', '[]', `"${'x'.repeat(300)}"`])
      expect(await allowedBy(ask(body), limits), body).toEqual({ maxTokens: undefined });
    expect(await allowedBy(ask('{}', '/v1/embeddings'), limits)).toBeUndefined();
    expect(await allowedBy(ask('', '/v1/chat/completions', 'GET'), limits)).toBeUndefined();
  });

  it('never leaves in the past', () => {
    expect(nextStep(0, 0, 200)).toBe(200);
    expect(nextStep(100, 301, 200)).toBe(500);
  });
});
