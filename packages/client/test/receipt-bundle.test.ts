import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { beforeAll, describe, expect, it } from 'vitest';
import { createClient, parseReceiptBundle, verifyReceiptBundle, type ReceiptBundle } from '../src/index.ts';
import { expectCode } from '../../channel/test/support/errors.ts';
import { forgeEnclave, now, packageOf, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer } from './support/server.ts';

const request = { method: 'POST', path: '/v1/completions', body: utf8Encode('{"prompt":"?"}') };
const response = { status: 200, body: utf8Encode('{"text":"!"}') };

let enclave: ForgedEnclave;
let bundle: ReceiptBundle;
let other: ReceiptBundle;

async function takeReceipt(from: ForgedEnclave, body: Uint8Array): Promise<ReceiptBundle> {
  await using server = await startServer({ enclave: from, answer: () => ({ body: response.body }) });
  const client = createClient({ url: server.url, policy: policyFor(), anchors: from.anchors, now: () => now });
  const answer = await client.fetch(`https://e${request.path}`, { method: 'POST', body: new Uint8Array(body) });
  await answer.text();
  const taken: unknown = JSON.parse(JSON.stringify(await client.getReceipt(answer)));
  return parseReceiptBundle(taken);
}

beforeAll(async () => {
  enclave = await forgeEnclave();
  bundle = await takeReceipt(enclave, request.body);
  other = await takeReceipt(enclave, utf8Encode('another'));
});

function verify(change: Partial<Parameters<typeof verifyReceiptBundle>[0]> = {}) {
  return verifyReceiptBundle({ bundle, policy: policyFor(), anchors: enclave.anchors, ...change });
}

describe('a receipt bundle', () => {
  it('verifies offline, as of the time of the receipt, and says what it did not prove', async () => {
    const verified = await verify();
    expect(verified.judgedAt).toEqual(now);
    expect(verified.enclave.simulated).toBe(false);
    expect(verified.compared).toEqual({ request: false, response: false });
    expect(verified.limits).toHaveLength(4);
    expect(verified.claims.sequence).toBe(1);
  });

  it('proves what was said when request and response are given', async () => {
    const verified = await verify({ request, response, now });
    expect(verified.compared).toEqual({ request: true, response: true });
    expect(verified.limits).toHaveLength(2);
  });

  it('verifies years later: time passes, the receipt does not', async () => {
    expect((await verify({ now: new Date('2036-01-01T00:00:00Z') })).judgedAt).toEqual(now);
  });

  it.each([
    [{ ...request, body: utf8Encode('{"prompt":"!"}') }],
    [{ ...request, method: 'PUT' }],
    [{ ...request, path: '/v1/embeddings' }],
  ])('is refused for another request', async (given) => {
    await expectCode(() => verify({ request: given }), 'CLIENT_RECEIPT_REQUEST');
  });

  it.each([[{ ...response, body: utf8Encode('{}') }], [{ ...response, status: 201 }]])(
    'is refused for another response',
    async (given) => {
      await expectCode(() => verify({ response: given }), 'CLIENT_RECEIPT_RESPONSE');
    },
  );

  it('is refused when its own method, path or status were changed', async () => {
    const changed = { ...bundle, request: { ...bundle.request, path: '/v1/other' } };
    await expectCode(() => verify({ bundle: changed, request }), 'CLIENT_RECEIPT_REQUEST');
    const status = { ...bundle, response: { ...bundle.response, status: 201 } };
    await expectCode(() => verify({ bundle: status, response }), 'CLIENT_RECEIPT_RESPONSE');
  });

  it('is refused with the digest of another exchange', async () => {
    await expectCode(() => verify({ bundle: { ...bundle, request: other.request } }), 'CLIENT_RECEIPT_REQUEST');
    const digest = '00'.repeat(32);
    await expectCode(
      () => verify({ bundle: { ...bundle, response: { status: 200, digest } } }),
      'CLIENT_RECEIPT_RESPONSE',
    );
  });

  it('is refused with other evidence of the same enclave', async () => {
    await expectCode(
      () => verify({ bundle: { ...bundle, attestation: other.attestation } }),
      'CLIENT_RECEIPT_EVIDENCE',
    );
  });

  it('is refused with the receipt of another enclave', async () => {
    const stranger = await takeReceipt(await forgeEnclave(), request.body);
    await expectCode(() => verify({ bundle: { ...bundle, receipt: stranger.receipt } }), 'CLIENT_RECEIPT_INVALID');
    const { keyConfig } = stranger.attestation;
    const attestation = { ...bundle.attestation, keyConfig };
    await expectCode(() => verify({ bundle: { ...bundle, attestation } }), 'SNP_REPORT_DATA_MISMATCH');
  });

  it('is refused when its release was not the one that was served', async () => {
    const attestation = { ...bundle.attestation, release: packageOf({ version: 8 }) };
    await expectCode(() => verify({ bundle: { ...bundle, attestation } }), 'SNP_REPORT_DATA_MISMATCH');
  });

  it('is refused when it comes from the future', async () => {
    const past = new Date(now.getTime() - 6 * 60_000);
    await expectCode(() => verify({ now: past }), 'CLIENT_RECEIPT_TIME');
  });

  it('is refused under a policy it does not meet', async () => {
    await expectCode(
      () => verify({ policy: policyFor({ client: { minimumVersion: 99 } }) }),
      'RELEASE_VERSION_ROLLBACK',
    );
    await expectCode(() => verify({ anchors: { snp: [] } }), 'SNP_ARK_NOT_PINNED');
  });

  it.each([
    ['text', 'x'],
    ['an unknown member', { extra: 1 }],
    ['another format', { format: 'fastness/receipt/v2' }],
    ['a digest of another length', { response: { status: 200, digest: 'ab' } }],
    ['a nonce of another length', { attestation: {} }],
  ])('is refused as %s', async (_, change) => {
    const value: unknown = typeof change === 'string' ? change : { ...bundle, ...change };
    await expectCode(() => verify({ bundle: value }), 'CLIENT_RECEIPT_BUNDLE');
  });

  it('holds neither request nor response', () => {
    const text = JSON.stringify(bundle);
    for (const secret of [request.body, response.body]) expect(text).not.toContain(toBase64Url(secret));
    expect(text).not.toContain('prompt');
  });
});
