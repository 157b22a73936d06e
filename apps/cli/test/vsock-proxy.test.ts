import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { concatBytes, u16le, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { connectTo, type SocketAddress } from '@fastness/enclave/vsock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../attacks/support/cli.ts';
import { startVsockProxy } from '../src/support/vsock-proxy.ts';

// Sockets of AF_UNIX stand where virtual ones are on the parent of an enclave: see `npm run test:vsock`.

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-proxy-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function unix(name: string): SocketAddress {
  const path = join(folder, name);
  return { family: 1, bytes: concatBytes(u16le(1), utf8Encode(`${path}\0`)), name: path };
}

describe('fastness vsock-proxy', { timeout: 120_000 }, () => {
  it('opens the ways of an enclave, says what was cut off, and leaves nothing open', async () => {
    const broker = createServer((_, outgoing) => outgoing.end('the broker'));
    broker.listen(0, '127.0.0.1');
    await once(broker, 'listening');
    const address = broker.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const model = join(folder, 'model.img');
    await writeFile(model, 'a sealed model');
    const told: FastnessError[] = [];
    const proxy = await startVsockProxy({
      clients: { host: '127.0.0.1', port: 0 },
      enclave: unix('enclave'),
      brokerSide: unix('broker'),
      broker: { host: '127.0.0.1', port },
      model: { at: unix('model'), file: model },
      failed: (error) => told.push(error),
    });
    const asking = await connectTo(unix('broker'));
    asking.end('GET / HTTP/1.1\r\nHost: broker\r\nConnection: close\r\n\r\n');
    expect(String(await buffer(asking))).toContain('the broker');
    expect(String(await buffer(await connectTo(unix('model'))))).toBe('a sealed model');
    await expect(fetch(proxy.url)).rejects.toThrow();
    await expect.poll(() => told).toMatchObject([{ code: 'VSOCK_UNREACHABLE' }]);
    await proxy.close();
    await expect(connectTo(unix('broker'))).rejects.toMatchObject({ code: 'VSOCK_UNREACHABLE' });
    broker.close();
  });

  it('opens nothing when a part of it is not there', async () => {
    const ends = {
      clients: { host: '127.0.0.1', port: 0 },
      enclave: unix('enclave'),
      brokerSide: unix('all-or-none'),
      broker: { host: '127.0.0.1', port: 1 },
      failed: () => {},
    };
    const absent = { at: unix('absent'), file: join(folder, 'absent.img') };
    await expect(startVsockProxy({ ...ends, model: absent })).rejects.toMatchObject({ code: 'CLI_FILE_UNREADABLE' });
    const blocked = await startVsockProxy({ ...ends, brokerSide: unix('taken') });
    const twice = { ...ends, model: { at: unix('again'), file: import.meta.filename }, brokerSide: unix('taken') };
    await expect(startVsockProxy(twice)).rejects.toMatchObject({ code: 'VSOCK_LISTEN' });
    await expect(connectTo(unix('again'))).rejects.toMatchObject({ code: 'VSOCK_UNREACHABLE' });
    await blocked.close();
  });

  it('asks which enclave', async () => {
    for (const cid of [[], ['--cid', '4294967296']]) {
      expect((await runCli(folder, ['vsock-proxy', ...cid])).exitCode).toBe(2);
    }
  });
});
