import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '../src/index.ts';
import { createMetrics } from '../src/operations/metrics.ts';
import { routeName } from '../src/operations/routes.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey } from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { createWorld, keyStoreWith, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let broker: Broker;
let breakKeyStore = false;

beforeAll(async () => {
  world = await createWorld(directory);
  broker = await world.start({
    rcar: {},
    operations: { port: 0 },
    keyStore: keyStoreWith(world.keyStore, {
      unwrap: async (wrapped, context) => {
        if (breakKeyStore) throw new Error('the store is gone');
        return await world.keyStore.unwrap(wrapped, context);
      },
    }),
  });
});
afterAll(() => broker.close());

const operations = async (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${broker.operationsUrl}${path}`, init);

/** Every sample by its name and labels. */
async function scrape(): Promise<Map<string, number>> {
  const response = await operations('/metrics');
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, name = '', value = ''] = /^(\w+(?:\{.*\})?) ([0-9.e+-]+)$/.exec(line) ?? [];
      expect(name, line).not.toBe('');
      return [name, Number(value)];
    }),
  );
}

describe('metrics', () => {
  it('count requests, releases, refusals, unwraps and running leases', async () => {
    const release = await admin.registered(broker.url, await world.release());
    const before = await scrape();
    const enclave = await createEnclave();
    granted(await requestKey(broker.url, { world, enclave, release }));
    const other = new Uint8Array(48).fill(7);
    const refused = await requestKey(broker.url, { world, enclave, release, report: { measurement: other } });
    expect(refusalOf(refused)).toBe('SNP_MEASUREMENT_NOT_ALLOWED');
    breakKeyStore = true;
    expect(refusalOf(await requestKey(broker.url, { world, enclave, release }))).toBe('BROKER_KEY_STORE');
    breakKeyStore = false;
    await fetch(`${broker.url}/kbs/v0/resource/a/b/c`);
    await call(`${broker.url}/no/such/${'x'.repeat(100)}`);
    const after = await scrape();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    expect(grown('fastness_requests_total{route="/v1/challenges",status="200"}')).toBe(3);
    expect(grown('fastness_requests_total{route="/v1/key-releases",status="200"}')).toBe(1);
    expect(grown('fastness_requests_total{route="/v1/key-releases",status="403"}')).toBe(1);
    expect(grown('fastness_requests_total{route="/kbs/v0/resource",status="401"}')).toBe(1);
    expect(
      grown('fastness_requests_total{route="other",status="400"}') +
        grown('fastness_requests_total{route="other",status="404"}'),
    ).toBe(1);
    expect(grown('fastness_refusals_total{code="SNP_MEASUREMENT_NOT_ALLOWED"}')).toBe(1);
    expect(grown('fastness_refusals_total{code="RCAR_TOKEN_MISSING"}')).toBe(1);
    expect(grown('fastness_refusals_total{code="BROKER_ROUTE_UNKNOWN"}')).toBe(1);
    expect(grown('fastness_releases_total{what="key"}')).toBe(2);
    expect(grown('fastness_audit_entries_total{kind="key-withheld"}')).toBe(1);
    expect(grown('fastness_unwrap_seconds_count')).toBeGreaterThanOrEqual(2);
    expect(grown('fastness_unwrap_failures_total')).toBeGreaterThanOrEqual(1);
    expect(after.get('fastness_leases_running')).toBe(1);
    expect(after.get('fastness_ready')).toBe(1);
  });

  it('have no label that strangers can choose', async () => {
    for (const path of [
      '/v1/admin/resources/a/b/c',
      '/v1/admin/x',
      '/%0a"}',
      '/kbs/v0/other',
      '/kbs/v0/resource/x"y/z',
    ]) {
      await fetch(`${broker.url}${path}`);
    }
    const routes = [...(await scrape()).keys()]
      .map((name) => /^fastness_requests_total\{route="([^"]*)"/.exec(name)?.[1])
      .filter((route) => route !== undefined);
    for (const route of routes)
      expect(route).toMatch(/^(?:other|\/health|\/kbs\/v0\/(?:auth|attest|resource)|\/v1\/[a-z/-]+)$/);
    expect(routeName('/v1/admin/resources/a/b/c', ['/v1/admin/resources'])).toBe('/v1/admin/resources');
  });

  it('put each unwrap into every bucket that it fits', () => {
    const metrics = createMetrics();
    metrics.unwrapped(0.02, false);
    metrics.unwrapped(60, true);
    const text = metrics.render({ leasesRunning: undefined, ready: false });
    expect(text).toContain('fastness_unwrap_seconds_bucket{le="0.01"} 0\n');
    expect(text).toContain('fastness_unwrap_seconds_bucket{le="0.025"} 1\n');
    expect(text).toContain('fastness_unwrap_seconds_bucket{le="5"} 1\n');
    expect(text).toContain('fastness_unwrap_seconds_bucket{le="+Inf"} 2\n');
    expect(text).toContain('fastness_ready 0\n');
    expect(text).not.toContain('fastness_leases_running');
  });

  it('count what the database failed', () => {
    const metrics = createMetrics();
    metrics.refusal('BROKER_STORE_UNREACHABLE');
    metrics.refusal('BROKER_NONCE_REUSED');
    const text = metrics.render({ leasesRunning: 0, ready: true });
    expect(text).toContain('fastness_store_errors_total 1\n');
  });
});

describe('the listener for monitoring', () => {
  it('tells that the broker lives and is ready, and nothing else', async () => {
    for (const path of ['/live', '/ready']) expect(await (await operations(path)).json()).toEqual({ status: 'ok' });
    const codes = async (path: string, init?: RequestInit): Promise<unknown> => (await operations(path, init)).json();
    expect(await codes('/v1/challenges')).toMatchObject({ type: 'urn:fastness:error:BROKER_ROUTE_UNKNOWN' });
    expect(await codes('/metrics', { method: 'POST' })).toMatchObject({
      type: 'urn:fastness:error:BROKER_METHOD_NOT_ALLOWED',
    });
    expect(refusalOf(await call(`${broker.url}/metrics`))).toBe('BROKER_ROUTE_UNKNOWN');
  });

  it('is not there unless it is configured', async () => {
    const plain = await world.start();
    expect(plain.operationsUrl).toBeUndefined();
    await plain.close();
  });
});
