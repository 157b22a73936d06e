import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { recordedFolder, startFakeService, type FakeRoutes, type FakeService } from '../src/services/index.ts';

async function start(routes: FakeRoutes): Promise<FakeService> {
  const service = await startFakeService(routes);
  onTestFinished(async () => service.close());
  return service;
}

/** Status and body of a path that is sent as it stands: a URL would resolve its dots. */
async function rawGet(url: string, path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const sent = request({ hostname, port, path }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('answers recorded in a folder', () => {
  const world = async (): Promise<FakeService> => {
    const folder = await mkdtemp(join(tmpdir(), 'fastness-recorded-'));
    onTestFinished(async () => rm(folder, { recursive: true, force: true }));
    const files: Record<string, string> = {
      'served/vcek/v1/Milan/cert_chain': 'the chain',
      'served/vcek/v1/Milan/abcd?blSPL=3&teeSPL=0': 'for a TCB',
      'served/vcek/v1/Milan/abcd': 'for any TCB',
      'served/sgx/certification/v4/tcb': 'TCB info',
      'served/sgx/certification/v4/tcb.headers.json': JSON.stringify({
        'TCB-Info-Issuer-Chain': 'recorded',
        number: 7,
      }),
      secret: 'not served',
    };
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    return start(recordedFolder(join(folder, 'served')));
  };

  it('are served by path and query, with their headers', async () => {
    const { url } = await world();
    const text = async (path: string) => (await fetch(`${url}${path}`)).text();
    expect(await text('/vcek/v1/Milan/cert_chain')).toBe('the chain');
    expect(await text('/vcek/v1/Milan/abcd?blSPL=3&teeSPL=0')).toBe('for a TCB');
    expect(await text('/vcek/v1/Milan/abcd?blSPL=4&teeSPL=0')).toBe('for any TCB');
    const recorded = await fetch(`${url}/sgx/certification/v4/tcb`);
    expect(recorded.headers.get('tcb-info-issuer-chain')).toBe('recorded');
    expect((await fetch(`${url}/vcek/v1/Genoa/cert_chain`)).status).toBe(404);
  });

  it.each(['/../secret', '/%2e%2e/secret', '/x/../../secret', '/%2e%2e%2fsecret'])(
    'are of this folder alone: %s',
    async (path) => {
      expect(await rawGet((await world()).url, path)).toEqual({ status: 404, body: 'no such thing' });
    },
  );
});

describe('a fake service', () => {
  it('keeps what it was asked, fails as told, and recovers', async () => {
    const service = await start(({ path }) => (path === '/a' ? { body: 'a', headers: { 'x-a': '1' } } : undefined));
    service.fail({ kind: 'status', status: 429, retryAfter: '3' }, { times: 1, path: /^\/a$/ });
    const limited = await fetch(`${service.url}/a?q=1`);
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '3']);
    expect(await (await fetch(`${service.url}/a`)).text()).toBe('a');
    service.fail({ kind: 'truncated' });
    expect(await (await fetch(`${service.url}/a`)).text()).toBe('');
    service.recover();
    service.fail({ kind: 'without-header', name: 'x-a' });
    expect((await fetch(`${service.url}/a`)).headers.has('x-a')).toBe(false);
    service.recover();
    service.fail({ kind: 'hang-up' });
    await expect((await fetch(`${service.url}/a`)).text()).rejects.toThrow();
    expect(service.requests.map(({ method, path, query }) => `${method} ${path} ${query.toString()}`)[0]).toBe(
      'GET /a q=1',
    );
  });
});
