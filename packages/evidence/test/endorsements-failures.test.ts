import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '@fastness/codec/errors';
import { type ServiceFailure } from '@fastness/testkit/services';
import { amdChainRequest } from '../src/endorsements/index.ts';
import { codeOf, fake, forgedAmd, later, now, sourceFor } from './support/endorsements.ts';

const chainOfGenoa = amdChainRequest({ kind: 'vcek', product: 'Genoa' });

describe('a service that fails', () => {
  const cases: [name: string, failure: ServiceFailure, code: ErrorCode, asked: number][] = [
    ['429 to the end', { kind: 'status', status: 429 }, 'ENDORSEMENT_RATE_LIMITED', 4],
    [
      '429 for longer than anyone waits',
      { kind: 'status', status: 429, retryAfter: '3600' },
      'ENDORSEMENT_RATE_LIMITED',
      1,
    ],
    ['503 to the end', { kind: 'status', status: 503 }, 'ENDORSEMENT_UNAVAILABLE', 4],
    ['a status that does not change', { kind: 'status', status: 501 }, 'ENDORSEMENT_UNAVAILABLE', 1],
    ['404', { kind: 'status', status: 404 }, 'ENDORSEMENT_NOT_FOUND', 1],
    ['410', { kind: 'status', status: 410 }, 'ENDORSEMENT_NOT_FOUND', 1],
    ['401', { kind: 'status', status: 401 }, 'ENDORSEMENT_REFUSED', 1],
    ['403', { kind: 'status', status: 403 }, 'ENDORSEMENT_REFUSED', 1],
    ['a slow answer', { kind: 'slow', ms: 2_000 }, 'ENDORSEMENT_TIMEOUT', 2],
    ['a body that comes byte by byte', { kind: 'trickle', ms: 20 }, 'ENDORSEMENT_TIMEOUT', 2],
    ['a body beyond the limit', { kind: 'oversize', bytes: 1 << 20, declared: false }, 'ENDORSEMENT_TOO_LARGE', 1],
    ['a length beyond the limit', { kind: 'oversize', bytes: 1 << 20, declared: true }, 'ENDORSEMENT_TOO_LARGE', 1],
    ['a connection that ends early', { kind: 'hang-up' }, 'ENDORSEMENT_UNAVAILABLE', 4],
    ['half of the body', { kind: 'truncated' }, 'ENDORSEMENT_RESPONSE', 1],
    ['a page in HTML', { kind: 'content-type', contentType: 'text/html' }, 'ENDORSEMENT_RESPONSE', 1],
    ['a redirect elsewhere', { kind: 'redirect', location: 'https://evil.example/x' }, 'ENDORSEMENT_REDIRECTED', 1],
    ['a redirect to another port', { kind: 'redirect', location: 'http://127.0.0.1:1/' }, 'ENDORSEMENT_REDIRECTED', 1],
    ['a redirect in circles', { kind: 'redirect', location: '/again' }, 'ENDORSEMENT_REDIRECTED', 4],
    ['a redirect to nowhere', { kind: 'redirect', location: 'http://[' }, 'ENDORSEMENT_RESPONSE', 1],
    ['an empty body', { kind: 'instead', answer: { body: '' } }, 'ENDORSEMENT_RESPONSE', 1],
  ];
  it.each(cases)('%s', async (_name, failure, code, asked) => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail(failure);
    const slow = code === 'ENDORSEMENT_TIMEOUT';
    const source = sourceFor({
      anchors,
      services: { amd: service.url },
      ...(slow ? { http: { timeoutMs: 100, attempts: 2 } } : {}),
    });
    expect(await codeOf(source.get(chainOfGenoa))).toBe(code);
    expect(service.requests).toHaveLength(asked);
  });

  it('is not reached at all', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    await service.close();
    const source = sourceFor({ anchors, services: { amd: service.url } });
    expect(await codeOf(source.get(chainOfGenoa))).toBe('ENDORSEMENT_UNAVAILABLE');
  });

  it.each([
    ['http://kds.example', 'plain http'],
    ['https://user:secret@kds.example', 'credentials'],
    ['ftp://127.0.0.1', 'another scheme'],
    ['http://127.0.0.1.evil.example', 'a name that begins like this machine'],
    ['nonsense', 'no address'],
  ])('is not asked at %s: %s', async (amd) => {
    const { anchors } = await forgedAmd();
    const fetched: URL[] = [];
    const source = sourceFor({
      anchors,
      services: { amd },
      http: {
        fetch: async (url) => {
          fetched.push(url);
          return Promise.resolve(new Response(''));
        },
      },
    });
    expect(await codeOf(source.get(chainOfGenoa))).toBe('ENDORSEMENT_URL');
    expect(fetched).toEqual([]);
  });

  it('follows a redirect within its origin', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'redirect', location: '/vcek/v1/Genoa/cert_chain?again' }, { times: 1 });
    const source = sourceFor({ anchors, services: { amd: service.url } });
    expect((await source.get(chainOfGenoa)).from).toBe('network');
  });

  it('is asked again after pauses that double, and recovers', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'status', status: 503 }, { times: 3 });
    const source = sourceFor({ anchors, services: { amd: service.url } });
    expect((await source.get(chainOfGenoa)).from).toBe('network');
    expect(source.pauses).toEqual([500, 1000, 2000]);
    service.fail({ kind: 'status', status: 429 }, { times: 3 });
    const limited = sourceFor({ anchors, services: { amd: service.url } });
    expect((await limited.get(chainOfGenoa)).from).toBe('network');
    expect(limited.pauses).toEqual([2000, 4000, 8000]);
  });

  it('is left alone for as long as it asks, in seconds or until a date', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'status', status: 429, retryAfter: '7' }, { times: 1 });
    service.fail({ kind: 'status', status: 503, retryAfter: later(9 / 86_400).toUTCString() }, { times: 1 });
    const source = sourceFor({ anchors, services: { amd: service.url } });
    await source.get(chainOfGenoa);
    expect(source.pauses).toEqual([7_000, 9_000]);
  });

  it('is not asked by anyone until the time it named has come', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'status', status: 429, retryAfter: '3600' }, { times: 1 });
    let time = now;
    const source = sourceFor({ anchors, services: { amd: service.url }, at: () => time });
    expect(await codeOf(source.get(chainOfGenoa))).toBe('ENDORSEMENT_RATE_LIMITED');
    expect(await codeOf(source.get(chainOfGenoa))).toBe('ENDORSEMENT_RATE_LIMITED');
    expect(service.requests).toHaveLength(1);
    time = later(3601 / 86_400);
    expect((await source.get(chainOfGenoa)).from).toBe('network');
  });

  it('is not asked again at once for what it does not have', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    let time = now;
    const source = sourceFor({ anchors, services: { amd: service.url }, at: () => time });
    const milan = amdChainRequest({ kind: 'vcek', product: 'Milan' });
    expect(await codeOf(source.get(milan))).toBe('ENDORSEMENT_NOT_FOUND');
    expect(await codeOf(source.get(milan))).toBe('ENDORSEMENT_NOT_FOUND');
    expect(service.requests).toHaveLength(1);
    time = later(1);
    expect(await codeOf(source.get(milan))).toBe('ENDORSEMENT_NOT_FOUND');
    expect(service.requests).toHaveLength(2);
  });

  it('is asked once by callers that want the same, and by four at a time in all', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'slow', ms: 20 });
    const source = sourceFor({ anchors, services: { amd: service.url } });
    await Promise.all(Array.from({ length: 20 }, async () => source.get(chainOfGenoa)));
    expect(service.requests).toHaveLength(1);
    let active = 0;
    let most = 0;
    const counted = sourceFor({
      anchors,
      services: { amd: service.url },
      http: {
        fetch: async (url, init) => {
          active += 1;
          most = Math.max(most, active);
          try {
            return await fetch(url, init);
          } finally {
            active -= 1;
          }
        },
      },
    });
    const products = ['Milan', 'Genoa', 'Turin'] as const;
    const kinds = ['vcek', 'vlek'] as const;
    const wanted = products.flatMap((product) => kinds.map((kind) => amdChainRequest({ kind, product })));
    await Promise.allSettled(wanted.map(async (request) => counted.get(request)));
    expect(most).toBe(4);
  });

  it('is given up when the caller gives up', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'slow', ms: 5_000 });
    const source = sourceFor({ anchors, services: { amd: service.url }, http: { timeoutMs: 10_000 } });
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = source.get(chainOfGenoa, controller.signal);
    setTimeout(() => controller.abort(reason), 30);
    await expect(running).rejects.toBe(reason);
  });

  it('is given up while waiting for a place, and gives no place away', async () => {
    const { anchors, routes } = await forgedAmd();
    const service = await fake(routes);
    service.fail({ kind: 'slow', ms: 150 });
    const source = sourceFor({ anchors, services: { amd: service.url }, http: { concurrency: 1 } });
    const first = source.get(chainOfGenoa);
    const reason = new Error('enough');
    const controller = new AbortController();
    const second = source.get(chainOfGenoa, controller.signal);
    const third = source.get(chainOfGenoa, new AbortController().signal);
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    await Promise.all([first, third]);
    expect(service.requests).toHaveLength(2);
  });
});
