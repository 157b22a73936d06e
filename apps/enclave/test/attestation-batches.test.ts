import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { cmwFromJson, reportDataOf } from '@fastness/attest';
import { toBase64Url, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { releaseDigestOf } from '@fastness/model/release';
import { forgeSnpReport, snpEndorsements, snpEvidence } from '@fastness/testkit';
import { verifyEnclave } from '@fastness/client';
import { leasedEnclave } from '../../../packages/client/test/support/broker.ts';
import { now, policyFor } from '../../../packages/client/test/support/scenario.ts';
import { AttestationBatches } from '../src/serve/attestation-batches.ts';
import { createAttestation } from '../src/serve/attestation.ts';
import type { Serving } from '../src/serve/serving.ts';

const nonceOf = (index: number): Uint8Array => createHash('sha256').update(`nonce ${index}`).digest();
const limits = { waiting: 64, perSecond: 1000, waitMs: 600_000 };

/** A quote source that the test lets go on. */
function source() {
  const asked: { purpose: string; nonce: Uint8Array }[] = [];
  const waiting: PromiseWithResolvers<string>[] = [];
  const begun: (() => void)[] = [];
  return {
    asked,
    make: async (fields: { purpose: string; nonce: Uint8Array }) => {
      asked.push(fields);
      const quote = Promise.withResolvers<string>();
      waiting.push(quote);
      for (const tell of begun.splice(0)) tell();
      return quote.promise;
    },
    /** Resolves once `count` quotes were begun. */
    begun: async (count: number) => {
      while (asked.length < count) await new Promise<void>((resolve) => begun.push(resolve));
    },
    finish: (index: number, error?: Error) =>
      error === undefined ? waiting[index]?.resolve(`quote ${index}`) : waiting[index]?.reject(error),
  };
}

describe('nonces that come while a quote is being made', () => {
  it('are answered together by the next one', async () => {
    const quotes = source();
    const batches = new AttestationBatches(limits, quotes.make);
    const first = batches.ask(nonceOf(0));
    await quotes.begun(1);
    const others = [1, 2, 3].map((index) => batches.ask(nonceOf(index)));
    expect(batches.waiting).toBe(3);
    quotes.finish(0);
    expect(await first).toEqual({ answer: 'quote 0', proof: undefined });
    await quotes.begun(2);
    quotes.finish(1);
    const answered = await Promise.all(others);
    expect(answered.map(({ answer }) => answer)).toEqual(['quote 1', 'quote 1', 'quote 1']);
    expect(answered.map(({ proof }) => proof?.index)).toEqual([0, 1, 2]);
    expect(quotes.asked.map(({ purpose }) => purpose)).toEqual(['client', 'client-batch']);
    expect(quotes.asked[1]?.nonce).toEqual(answered[0]?.proof?.root);
  });

  it('are answered in the order they came, some in each turn, while the next quote is made', async () => {
    const quotes = source();
    const batches = new AttestationBatches(limits, quotes.make);
    const first = batches.ask(nonceOf(0));
    await quotes.begun(1);
    const order: number[] = [];
    const others = Array.from({ length: 40 }, async (_, index) => {
      await batches.ask(nonceOf(index + 1));
      order.push(index);
      // As soon as the first is answered somebody asks again.
      if (index === 0) void batches.ask(nonceOf(100)).catch(() => undefined);
      return order.length;
    });
    quotes.finish(0);
    await first;
    await quotes.begun(2);
    quotes.finish(1);
    await others[0];
    // Promises alone do not bring the others: the event loop gets its turns between them.
    for (let step = 0; step < 1000; step += 1) await Promise.resolve();
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await Promise.all(others);
    expect(order).toEqual(Array.from({ length: 40 }, (_, index) => index));
    await quotes.begun(3);
    quotes.finish(2);
  });

  it('are refused when too many wait, and leave when nobody waits for the answer', async () => {
    const quotes = source();
    const batches = new AttestationBatches({ ...limits, waiting: 2 }, quotes.make);
    const first = batches.ask(nonceOf(0));
    await quotes.begun(1);
    const gone = new AbortController();
    const leaves = batches.ask(nonceOf(1), gone.signal);
    const stays = batches.ask(nonceOf(2));
    await expect(batches.ask(nonceOf(3))).rejects.toMatchObject({ code: 'ENCLAVE_BUSY' });
    gone.abort(new Error('gone'));
    await expect(leaves).rejects.toThrow('gone');
    expect(batches.waiting).toBe(1);
    quotes.finish(0);
    await first;
    await quotes.begun(2);
    quotes.finish(1);
    expect(await stays).toEqual({ answer: 'quote 1', proof: undefined });
  });

  it('do not wait for ever for a quote that does not end', async () => {
    const quotes = source();
    const batches = new AttestationBatches({ ...limits, waitMs: 1 }, quotes.make);
    const first = batches.ask(nonceOf(0));
    await quotes.begun(1);
    await expect(batches.ask(nonceOf(1))).rejects.toMatchObject({ code: 'ENCLAVE_TIME_LIMIT' });
    quotes.finish(0);
    await first;
  });

  it('share its failure, and the next ones do not', async () => {
    const quotes = source();
    const batches = new AttestationBatches(limits, quotes.make);
    const failed = batches.ask(nonceOf(0));
    await quotes.begun(1);
    quotes.finish(0, new FastnessError('EVIDENCE_REFUSED'));
    await expect(failed).rejects.toMatchObject({ code: 'EVIDENCE_REFUSED' });
    const next = batches.ask(nonceOf(1));
    await quotes.begun(2);
    quotes.finish(1);
    expect((await next).answer).toBe('quote 1');
  });
});

describe('attestations that share a quote', () => {
  it('are each verified by the client that asked, and by no other', async () => {
    const party = await leasedEnclave();
    const forged = party.enclave;
    const { keys, receiptKey, keyConfigDigest: digest } = forged.generation;
    const publicKeys = { keyConfig: keys.keyConfig, receiptKey, digest };
    const { token } = await party.lease(await forged.attest(toBase64Url(nonceOf(0))));
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    let quotes = 0;
    const serving: Pick<Serving, 'release' | 'releaseDigest'> & Record<string, unknown> = {
      release: forged.release,
      releaseDigest: await releaseDigestOf(forged.release.bundle),
      lease: { assertHeld: () => {}, shown: { token } },
      ring: { first: { public: publicKeys }, current: { keys: { public: publicKeys } } },
    };
    const attest = createAttestation({
      serving: () => serving as unknown as Serving,
      limits,
      collect: async (session) => {
        const reportData = await reportDataOf({ ...session, deviceEvidenceDigest: null });
        quotes += 1;
        if (quotes === 1) reached.resolve();
        if (quotes === 1) await gate.promise;
        const { chain } = forged;
        const report = await forgeSnpReport({ chain, reportData, measurement: new Uint8Array(48).fill(0xab) });
        return {
          evidence: snpEvidence({ report, simulated: false }),
          endorsements: [snpEndorsements({ certificates: chain.certificates, crls: [chain.crl] })],
        };
      },
    });
    const ask = async (nonce: Uint8Array): Promise<Record<string, unknown>> => {
      const body = utf8Encode(JSON.stringify({ nonce: toBase64Url(nonce) }));
      return JSON.parse(await attest(body, new AbortController().signal)) as Record<string, unknown>;
    };
    const first = ask(nonceOf(0));
    await reached.promise;
    const asked = [1, 2, 3, 4, 5];
    const others = asked.map(async (index) => ask(nonceOf(index)));
    gate.resolve();
    const verify = async (bundle: unknown, nonce: Uint8Array) =>
      verifyEnclave({ bundle, nonce, policy: policyFor(), now, anchors: forged.anchors });
    expect((await verify(await first, nonceOf(0))).checks.map(({ code }) => code)).not.toContain(
      'ATTEST_NONCE_BATCH_PROOF',
    );
    const bundles = await Promise.all(others);
    expect(quotes).toBe(2);
    for (const [place, bundle] of bundles.entries()) {
      const verified = await verify(bundle, nonceOf(asked[place] ?? 0));
      expect(verified.checks.map(({ code }) => code)).toContain('ATTEST_NONCE_BATCH_PROOF');
    }
    expect(new Set(bundles.map(({ evidence }) => toBase64Url(cmwFromJson(evidence).value))).size).toBe(1);

    const [one = {}, two = {}] = bundles;
    const wrong = async (bundle: Record<string, unknown>, nonce: Uint8Array): Promise<unknown> =>
      verify(bundle, nonce).then(
        () => undefined,
        (error: unknown) => (error instanceof FastnessError ? error.code : error),
      );
    const mine = { ...one, nonce: toBase64Url(nonceOf(1)) };
    expect(await wrong({ ...mine, batch: two['batch'] }, nonceOf(1))).toBe('ATTEST_NONCE_BATCH_PROOF');
    expect(await wrong({ ...mine, batch: { ...Object(mine).batch, hashes: [] } }, nonceOf(1))).toBe(
      'ATTEST_NONCE_BATCH_SHAPE',
    );
    // A root is no nonce that a client could have chosen, and a nonce is no root.
    const { root } = Object(one).batch as { root: string };
    const { batch: _, ...alone } = one;
    const asNonce = Uint8Array.from(Buffer.from(root, 'base64url'));
    expect(await wrong({ ...alone, nonce: root }, asNonce)).toBe('SNP_REPORT_DATA_MISMATCH');
    const single = await first;
    expect(await wrong({ ...single, batch: one['batch'], nonce: toBase64Url(nonceOf(1)) }, nonceOf(1))).toBe(
      'SNP_REPORT_DATA_MISMATCH',
    );
  });
});
