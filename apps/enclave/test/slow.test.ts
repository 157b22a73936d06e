import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { mediaTypes } from '@fastness/channel/wire';
import { hasModels, triageFile } from './models.ts';
import { connect, start, type Started } from './running.ts';
import { createWorld, type World } from './world.ts';

/** Requests of which a part is still to come, at the most. */
const arriving = 8;

const headOf = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${mediaTypes.chunkedRequest}\r\ntransfer-encoding: chunked\r\n\r\n`;

interface SlowLoris {
  readonly socket: Socket;
  /** Of the refusal, once there is one. */
  readonly code: () => string | undefined;
  readonly closed: Promise<void>;
}

/** A connection that sends the head of a request and one byte, and says no more. */
async function slowLoris(url: string, path: string): Promise<SlowLoris> {
  let text = '';
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise((resolve) => socket.write(`${headOf(path)}1\r\n\x01\r\n`, resolve));
  return { socket, code: () => /"code":"(\w+)"/u.exec(text)?.[1], closed };
}

describe.skipIf(!hasModels)('an enclave among slow clients', () => {
  let world: World;
  let enclave: Started | undefined;
  beforeAll(async () => {
    world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate' });
    await world.startBroker();
    await world.register();
  });
  afterEach(() => enclave?.close());
  afterAll(() => world[Symbol.asyncDispose]());

  const startWith = async (openSeconds: number): Promise<string> => {
    enclave = await start(
      world.config({ limits: { concurrent: 2, arriving, openSeconds, attestationsPerSecond: 1000 } }),
    );
    await enclave.until('serving');
    return enclave.url;
  };
  const loris = (count: number, url: string, path: string): Promise<SlowLoris[]> =>
    Promise.all(Array.from({ length: count }, () => slowLoris(url, path)));

  it.each(['/ohttp', '/attestation'])('answers others meanwhile, and pushes the oldest out: %s', async (path) => {
    const url = await startWith(600);
    const slow = await loris(64, url, path);
    const left = (): number => slow.filter(({ code }) => code() === undefined).length;
    await expect.poll(left).toBe(arriving);
    const channel = await connect(url, world);
    expect((await channel.fetch('https://enclave.invalid/v1/models')).status).toBe(200);
    await expect.poll(left).toBe(arriving - 1);
    expect(new Set(slow.map(({ code }) => code()))).toEqual(new Set([undefined, 'ENCLAVE_BUSY']));
    for (const { socket } of slow) socket.destroy();
  });

  it('ends in time who says no more', async () => {
    const url = await startWith(1);
    const slow = [...(await loris(3, url, '/ohttp')), ...(await loris(3, url, '/attestation'))];
    await Promise.all(slow.map(({ closed }) => closed));
    expect(new Set(slow.map(({ code }) => code()))).toEqual(new Set(['ENCLAVE_TIME_LIMIT']));
  });
});
