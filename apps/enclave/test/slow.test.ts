import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mediaTypes } from '@fastness/channel/wire';
import { hasModels, triageFile } from './models.ts';
import { connect, start, type Started } from './running.ts';
import { createWorld, type World } from './world.ts';

const headOf = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${mediaTypes.chunkedRequest}\r\ntransfer-encoding: chunked\r\n\r\n`;

/** A connection that sends the head of a request and one byte, and says no more. */
async function slowLoris(
  url: string,
  path = '/ohttp',
): Promise<{ socket: Socket; answer: () => string; closed: Promise<void> }> {
  let text = '';
  const socket = connectTcp(Number(new URL(url).port), '127.0.0.1');
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise((resolve) => socket.write(`${headOf(path)}1\r\n\x01\r\n`, resolve));
  return { socket, answer: () => text, closed };
}

describe.skipIf(!hasModels)('an enclave among slow clients', () => {
  let world: World;
  let enclave: Started;
  beforeAll(async () => {
    world = await createWorld({ source: triageFile, engine: 'llama', task: 'generate' });
    await world.startBroker();
    await world.register();
    enclave = await start(
      world.config({
        limits: { concurrent: 2, arriving: 8, openSeconds: 2, attestationsPerSecond: 1000 },
      }),
    );
    await enclave.until('serving');
  });
  afterAll(async () => {
    await enclave.close();
    await world[Symbol.asyncDispose]();
  });

  const models = async (): Promise<number> =>
    (await (await connect(enclave.url, world)).fetch('https://enclave.invalid/v1/models')).status;

  it('answers others meanwhile, pushes the oldest out, and ends the rest in time', async () => {
    const slow = await Promise.all(Array.from({ length: 64 }, () => slowLoris(enclave.url)));
    expect(await models()).toBe(200);
    await Promise.all(slow.map(({ closed }) => closed));
    const codes = slow.map(({ answer }) => /"code":"(\w+)"/u.exec(answer())?.[1]);
    expect(codes.filter((code) => code === 'ENCLAVE_BUSY').length).toBeGreaterThanOrEqual(56);
    expect(codes.filter((code) => code === 'ENCLAVE_TIME_LIMIT').length).toBeGreaterThan(0);
    expect(new Set(codes)).toEqual(new Set(['ENCLAVE_BUSY', 'ENCLAVE_TIME_LIMIT']));
    expect(await models()).toBe(200);
  });

  it('gives as little time to who asks for an attestation', async () => {
    const slow = await Promise.all(Array.from({ length: 16 }, () => slowLoris(enclave.url, '/attestation')));
    expect(await models()).toBe(200);
    await Promise.all(slow.map(({ closed }) => closed));
    const codes = new Set(slow.map(({ answer }) => /"code":"(\w+)"/u.exec(answer())?.[1]));
    expect(codes).toEqual(new Set(['ENCLAVE_BUSY', 'ENCLAVE_TIME_LIMIT']));
  });
});
