import { fromBase64Url, toBase64Url, toHex, utf8Encode } from '@fastness/codec/bytes';
import { describe, expect, it } from 'vitest';
import {
  createReceiptIssuer,
  generateReceiptKey,
  sealRequest,
  verifyReceipt,
  type ReceiptIssuer,
  type ReceiptKey,
} from '../src/index.ts';
import { evidenceHeader, receiptTrailer } from '../src/wire/index.ts';
import { readAll, streamFrom } from './support/bytes.ts';
import { exchange, newGateway, samplePost } from './support/exchange.ts';
import { expectCode } from './support/errors.ts';

const digest = (byte: number) => new Uint8Array(32).fill(byte);

async function newIssuer(): Promise<{ receiptKey: ReceiptKey; issuer: ReceiptIssuer }> {
  const receiptKey = await generateReceiptKey();
  const issuer = createReceiptIssuer({
    receiptKey,
    releaseDigest: digest(3),
    keyConfigDigest: digest(5),
    evidenceDigest: digest(4),
    now: () => new Date('2026-11-23T10:00:00Z'),
  });
  return { receiptKey, issuer };
}

describe('a receipt through the channel', () => {
  it('states both digests as the client computes them, and counts', async () => {
    const { receiptKey, issuer } = await newIssuer();
    const gateway = await newGateway();
    for (let sequence = 1; sequence <= 3; sequence += 1) {
      const { sealed, opened } = await exchange(gateway);
      const body = streamFrom([utf8Encode('to'), utf8Encode('ken')]);
      const trailers = issuer.trailersFor(opened);
      const response = await sealed.openResponse(opened.sealResponse({ status: 200, body, trailers }));
      await readAll(response.body);
      const receipt = fromBase64Url((await response.trailers).get(receiptTrailer) ?? '');
      const claims = await verifyReceipt({ receipt, receiptKey: receiptKey.publicKey });
      expect(toHex(claims.requestDigest)).toBe(toHex(await sealed.requestDigest));
      expect(toHex(claims.responseDigest)).toBe(toHex(await response.responseDigest));
      expect(claims).toMatchObject({
        releaseDigest: digest(3),
        evidenceDigest: digest(4),
        keyConfigDigest: digest(5),
        sequence,
      });
    }
  });

  it('names the evidence that the request names', async () => {
    const { receiptKey, issuer } = await newIssuer();
    const headers = { [evidenceHeader]: toBase64Url(digest(8)) };
    const { sealed, opened } = await exchange(await newGateway(), { ...samplePost, headers });
    const trailers = issuer.trailersFor(opened);
    const response = await sealed.openResponse(opened.sealResponse({ status: 200, trailers }));
    await readAll(response.body);
    const receipt = fromBase64Url((await response.trailers).get(receiptTrailer) ?? '');
    const claims = await verifyReceipt({ receipt, receiptKey: receiptKey.publicKey });
    expect(claims.evidenceDigest).toEqual(digest(8));
  });

  it('refuses a request that names evidence by anything but a digest', async () => {
    const { issuer } = await newIssuer();
    for (const value of ['abc', 'A'.repeat(44), `${'A'.repeat(42)}!`]) {
      const { opened } = await exchange(await newGateway(), { ...samplePost, headers: { [evidenceHeader]: value } });
      await expectCode(() => issuer.trailersFor(opened), 'CHANNEL_HTTP_FIELD');
    }
  });

  it.each(['unread', 'cancelled', 'half read and cancelled', 'half read'])(
    'covers the whole of a request that was left %s',
    async (how) => {
      const { receiptKey, issuer } = await newIssuer();
      const gateway = await newGateway();
      const request = { ...samplePost, body: new Uint8Array(100_000).fill(7) };
      const sealed = await sealRequest({ keyConfig: gateway.keys.keyConfig, request });
      const opened = await gateway.open(sealed.body);
      if (how === 'cancelled') await opened.request.body.cancel();
      if (how === 'half read and cancelled') {
        const reader = opened.request.body.getReader();
        await reader.read();
        void reader.read();
        await reader.cancel();
        reader.releaseLock();
      }
      const trailers = issuer.trailersFor(opened);
      const response = await sealed.openResponse(
        opened.sealResponse({ status: 413, body: utf8Encode('no'), trailers }),
      );
      await readAll(response.body);
      const receipt = fromBase64Url((await response.trailers).get(receiptTrailer) ?? '');
      const claims = await verifyReceipt({ receipt, receiptKey: receiptKey.publicKey });
      expect(toHex(claims.requestDigest)).toBe(toHex(await sealed.requestDigest));
    },
  );

  it('is not given for a response whose reader went away', async () => {
    const { issuer } = await newIssuer();
    const { sealed, opened } = await exchange(await newGateway());
    const body = streamFrom([utf8Encode('a'), utf8Encode('b')]);
    const trailers = issuer.trailersFor(opened);
    const response = await sealed.openResponse(opened.sealResponse({ status: 200, body, trailers }));
    await response.body.cancel();
    await expectCode(() => response.trailers, 'CHANNEL_CANCELLED');
    await expectCode(() => response.responseDigest, 'CHANNEL_CANCELLED');
  });
});
