import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { exchange, newGateway } from './support/exchange.ts';

const exposed: unknown = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
})();

/** Bytes that survive a collection: heap and array buffers. */
async function bytesInUse(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    if (typeof exposed === 'function') exposed();
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

it('leaves nothing behind after an exchange', { timeout: 120_000 }, async () => {
  const gateway = await newGateway({ chunkInterval: 0 });
  const once = async () => {
    const { sealed, opened } = await exchange(gateway);
    const response = await sealed.openResponse(opened.sealResponse({ status: 200, body: new Uint8Array(50_000) }));
    let length = 0;
    for await (const part of response.body) length += part.length;
    if (length !== 50_000) throw new Error('cut');
  };
  for (let round = 0; round < 400; round += 1) await once();
  // The replay cache keeps about 120 bytes an exchange. The engine compiles when it likes, which counts as memory too: what
  // is left behind grows in every batch.
  let growth = Number.POSITIVE_INFINITY;
  for (let batch = 0; batch < 4 && growth > 600_000; batch += 1) {
    const before = await bytesInUse();
    for (let round = 0; round < 800; round += 1) await once();
    growth = (await bytesInUse()) - before;
  }
  expect(growth).toBeLessThan(600_000);
});

it('carries 128 MiB in constant memory', { timeout: 120_000 }, async () => {
  const { sealed, opened } = await exchange(await newGateway());
  const part = new Uint8Array(65_536);
  let made = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        made += 1;
        controller.enqueue(part);
        if (made === 2048) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const response = await sealed.openResponse(opened.sealResponse({ status: 200, body }));
  let length = 0;
  let before = 0;
  let most = 0;
  for await (const chunk of response.body) {
    if (length === 0) before = await bytesInUse();
    length += chunk.length;
    if (length % (32 * 2 ** 20) < 16_384) most = Math.max(most, await bytesInUse());
  }
  expect(length).toBe(2 ** 27);
  expect(most - before).toBeLessThan(4_000_000);
});
