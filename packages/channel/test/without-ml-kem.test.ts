import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { kemX25519, kemXWing, platformPrimitives, sealRequest, webPrimitives, type Gateway } from '../src/index.ts';
import { readAll } from './support/bytes.ts';
import { newGateway, samplePost } from './support/exchange.ts';
import { expectCode } from './support/errors.ts';

let gateway: Gateway;

/** Takes ML-KEM out of the platform's WebCrypto, as it is in browsers that lack it. */
beforeEach(async () => {
  gateway = await newGateway();
  const { subtle } = globalThis.crypto;
  const importKey = subtle.importKey.bind(subtle);
  vi.spyOn(subtle, 'importKey').mockImplementation((...parameters: unknown[]) => {
    if (JSON.stringify(parameters[2]).includes('ML-KEM')) {
      return Promise.reject(new DOMException('Unrecognized algorithm name', 'NotSupportedError'));
    }
    return Reflect.apply(importKey, subtle, parameters);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

it('a runtime without ML-KEM sends nothing unless X25519 is allowed by name', async () => {
  const options = { keyConfig: gateway.keys.keyConfig, request: samplePost };
  await expectCode(() => sealRequest(options), 'CHANNEL_SUITE_UNSUPPORTED');
  const sealed = await sealRequest({ ...options, allowX25519: true });
  expect(sealed.kem).toBe(kemX25519);
  const opened = await gateway.open(sealed.body);
  expect(await readAll(opened.request.body)).toHaveLength(15);
});

it('the primitives of such a runtime bring X-Wing along, so that nothing weaker is used although it is allowed', async () => {
  const primitives = await platformPrimitives();
  expect(primitives).not.toBe(webPrimitives);
  const options = { keyConfig: gateway.keys.keyConfig, request: samplePost, allowX25519: true, primitives };
  const sealed = await sealRequest(options);
  expect(sealed.kem).toBe(kemXWing);
  vi.restoreAllMocks();
  const opened = await gateway.open(sealed.body);
  expect(await readAll(opened.request.body)).toHaveLength(15);
});

it('the primitives of a runtime with ML-KEM are those of WebCrypto', async () => {
  vi.restoreAllMocks();
  vi.resetModules();
  const fresh = await import('../src/index.ts');
  expect(await fresh.platformPrimitives()).toBe(fresh.webPrimitives);
});

it('a runtime with ML-KEM uses X-Wing although X25519 is allowed', async () => {
  vi.restoreAllMocks();
  const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, request: samplePost, allowX25519: true });
  expect(sealed.kem).toBe(kemXWing);
});
