import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyEvidence } from '@fastness/attest';
import { FastnessError } from '@fastness/codec/errors';
import { fakeKds, forgedKdsMaterial, startFakeService, type FakeService } from '@fastness/testkit/services';
import { completeFor, completionOf, notRefreshedOf } from '../src/support/endorsements.ts';
import { prepare } from '../../../packages/attest/test/support/forge.ts';

const { signal } = new AbortController();
let folder: string;
let kds: FakeService;
let prepared: Awaited<ReturnType<typeof prepare>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-complete-'));
  prepared = await prepare({ product: 'Genoa' });
  const { chain, now } = prepared;
  const crl = await chain.issueCrl({ number: 2, revoked: [{ serial: 0x2_0001, date: now }] });
  kds = await startFakeService(fakeKds([{ ...forgedKdsMaterial(chain), crl }]));
});
afterAll(async () => {
  await kds.close();
  await rm(folder, { recursive: true, force: true });
});

const codeOf = async (attempt: () => unknown): Promise<string> => {
  try {
    await attempt();
    return 'none';
  } catch (error) {
    return error instanceof FastnessError ? error.code : String(error);
  }
};

describe('fetching on the command line', () => {
  it('believes its own list where a stranger chose the one that came along', async () => {
    const { evidence, endorsements, anchors, now: at } = prepared;
    const options = { endorsementsCache: join(folder, 'cache'), kds: kds.url };
    const judged = async (prefer: 'given' | 'fetched') => {
      const completed = await completeFor(evidence, endorsements, options, { anchors, at, signal, prefer });
      return codeOf(async () => verifyEvidence({ ...prepared, endorsements: completed.endorsements }));
    };
    expect(await judged('given')).toBe('none');
    expect(await judged('fetched')).toBe('SNP_CERTIFICATE_REVOKED');
  });

  it('says which copies it could not refresh', async () => {
    const { evidence, anchors, now: at } = prepared;
    const options = { endorsementsCache: join(folder, 'ageing'), kds: kds.url };
    await completeFor(evidence, [], options, { anchors, at, signal });
    kds.fail({ kind: 'status', status: 403 });
    const tomorrow = new Date(at.getTime() + 25 * 3600 * 1000);
    const completed = await completeFor(evidence, [], options, { anchors, at: tomorrow, signal });
    kds.recover();
    expect(notRefreshedOf(completed)).toEqual(['amd/crl/vcek/Genoa (ENDORSEMENT_REFUSED)']);
  });

  it('changes nothing without a cache, and wants one to stay offline', async () => {
    const { evidence, endorsements, anchors, now: at } = prepared;
    const completed = await completeFor(evidence, endorsements, {}, { anchors, at, signal, prefer: 'fetched' });
    expect(completed.endorsements).toEqual(endorsements);
    const offline = async () => completeFor(evidence, endorsements, { offline: true }, { anchors, at, signal });
    expect(await codeOf(offline)).toBe('CLI_USAGE');
  });

  it('leaves evidence that cannot be read to the verifier', async () => {
    const { endorsements, anchors, now: at } = prepared;
    const evidence = { ...prepared.evidence, value: Uint8Array.of(0xff) };
    const options = { endorsementsCache: join(folder, 'cache'), kds: kds.url };
    const completed = await completeFor(evidence, endorsements, options, { anchors, at, signal });
    expect(completed.endorsements).toEqual(endorsements);
    expect(await codeOf(async () => verifyEvidence({ ...prepared, evidence }))).not.toBe('none');
  });

  it('reads recoveries and products', async () => {
    expect(completionOf({})).toEqual({ update: 'standard', products: [] });
    expect(completionOf({ update: '17', product: ['milan', 'Genoa'] })).toEqual({
      update: 17,
      products: ['Milan', 'Genoa'],
    });
    for (const options of [{ update: 'soon' }, { update: '0' }, { update: '-1' }, { product: ['Rome'] }]) {
      expect(await codeOf(() => completionOf(options))).toBe('CLI_USAGE');
    }
  });
});
