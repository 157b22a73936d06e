import { concatBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { expect, it } from 'vitest';
import { createGateway, createReplayCache, sealRequest, type OpenedRequest } from '../src/index.ts';
import { readAll, seededRandom, streamOf } from './support/bytes.ts';
import { exchange, newGateway, samplePost } from './support/exchange.ts';
import { mutate } from './support/mutate.ts';

/** What a changed message ends in; anything but a FastnessError of the channel fails the test. */
async function outcome(seed: number, action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof FastnessError && error.code.startsWith('CHANNEL_')) return error.code;
    throw new Error(`Seed ${seed}: not an error of the channel`, { cause: error });
  }
  throw new Error(`Seed ${seed}: a changed message was accepted`);
}

/** Frames of a response, one for each part of its body, the head with the first: a part is made when the one before has left. */
async function framesOnePart(opened: OpenedRequest, parts: number): Promise<Uint8Array[]> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const reader = opened.sealResponse({ status: 200, body: readable }).getReader();
  const frames: Uint8Array[] = [];
  const read = async () => {
    const { value } = await reader.read();
    if (value !== undefined) frames.push(value);
  };
  for (let at = 0; at < parts; at += 1) {
    await Promise.all([writer.write(new Uint8Array(200 + 7 * at).fill(at)), read()]);
  }
  await Promise.all([writer.close(), read()]);
  return frames;
}

it('7,500 changed responses are refused', { timeout: 240_000 }, async () => {
  const gateway = await newGateway({ chunkInterval: 0 });
  const { sealed, opened } = await exchange(gateway);
  const frames = await framesOnePart(opened, 12);
  expect(frames).toHaveLength(13);
  const codes = new Map<string, number>();
  for (let seed = 1; seed <= 7500; seed += 1) {
    const changed = mutate(seededRandom(seed), frames);
    const code = await outcome(seed, async () => {
      const response = await sealed.openResponse(streamOf(changed));
      await readAll(response.body);
    });
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect([...codes.keys()].sort()).toEqual([
    'CHANNEL_CHUNK_SIZE',
    'CHANNEL_CHUNK_TAG',
    'CHANNEL_RESPONSE_MISMATCH',
    'CHANNEL_TRUNCATED',
  ]);
});

it('2,500 changed requests are refused', { timeout: 240_000 }, async () => {
  const { keys } = await newGateway();
  const request = { ...samplePost, body: new Uint8Array(60_000) };
  const sealed = await sealRequest({ keyConfig: keys.keyConfig, request });
  const frames: Uint8Array[] = [];
  for await (const frame of sealed.body) frames.push(frame);
  expect(frames.length).toBeGreaterThan(3);
  const codes = new Map<string, number>();
  for (let seed = 1; seed <= 2500; seed += 1) {
    // A cache of its own, so that no change is refused for being a replay.
    const gateway = createGateway({ keys, replayCache: createReplayCache() });
    const changed = mutate(seededRandom(seed), frames);
    const code = await outcome(seed, async () => {
      const opened = await gateway.open(streamOf(changed));
      await readAll(opened.request.body);
    });
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect([...codes.keys()].sort()).toEqual([
    'CHANNEL_CHUNK_SIZE',
    'CHANNEL_CHUNK_TAG',
    'CHANNEL_KEY_UNKNOWN',
    'CHANNEL_REQUEST_UNOPENABLE',
    'CHANNEL_TRUNCATED',
  ]);
  // The message itself is still good.
  const gateway = createGateway({ keys, replayCache: createReplayCache() });
  const opened = await gateway.open(streamOf(concatBytes(...frames)));
  expect(await readAll(opened.request.body)).toHaveLength(60_000);
});
