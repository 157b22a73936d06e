import { FastnessError } from '@fastness/codec/errors';
import { webCryptoVerifier, type SignatureVerifier } from '@fastness/codec/x509';
import { describe, expect, it } from 'vitest';
import {
  VerificationCache,
  verifyEvidence,
  type Cmw,
  type VerificationMeans,
  type VerifyEvidenceOptions,
} from '../src/index.ts';
import { prepareDcap } from './support/dcap-forge.ts';
import { prepare } from './support/forge.ts';
import { prepareNitro } from './support/nitro-forge.ts';

const day = 24 * 3600 * 1000;

/** A verifier that counts what it is asked. */
function counting(): { readonly signatures: SignatureVerifier; readonly asked: () => number } {
  let count = 0;
  return {
    signatures: async (check) => {
      count += 1;
      return webCryptoVerifier(check);
    },
    asked: () => count,
  };
}

const flipped = (cmw: Cmw, index: number): Cmw => ({
  ...cmw,
  value: cmw.value.map((byte, place) => (place === index ? byte ^ 1 : byte)),
});

const formats: readonly {
  readonly name: string;
  readonly prepare: () => Promise<VerifyEvidenceOptions>;
  /** Signatures on the evidence itself, which is new every time. */
  readonly fresh: number;
  readonly first: number;
}[] = [
  { name: 'SEV-SNP', prepare: async () => prepare(), fresh: 1, first: 5 },
  { name: 'TDX', prepare: async () => prepareDcap(), fresh: 2, first: 10 },
  { name: 'SGX', prepare: async () => prepareDcap({ kind: 'sgx' }), fresh: 2, first: 10 },
  { name: 'Nitro', prepare: async () => prepareNitro(), fresh: 1, first: 6 },
];

describe.each(formats)('a verification cache and $name', ({ prepare: make, fresh, first }) => {
  it('verifies what endorses the evidence once, and the evidence every time', async () => {
    const options = await make();
    const { signatures, asked } = counting();
    const cache = new VerificationCache();
    const cold = await verifyEvidence({ ...options, signatures, cache });
    expect(asked()).toBe(first);
    const warm = await verifyEvidence({ ...options, signatures, cache });
    expect(asked()).toBe(first + fresh);
    expect(warm).toEqual(cold);
    expect(await verifyEvidence(options)).toEqual(cold);
  });

  it('answers for what it was given, whatever the buffers hold later', async () => {
    const options = await make();
    const copied = (cmw: Cmw): Cmw => ({ ...cmw, value: cmw.value.slice() });
    const cache = new VerificationCache();
    const [cold, warm, without] = [cache, cache, undefined].map(async (used) => {
      const evidence = copied(options.evidence);
      const endorsements = options.endorsements.map(copied);
      const means = used === undefined ? {} : { cache: used };
      const verdict = verifyEvidence({ ...options, ...means, evidence, endorsements });
      for (const { value } of [evidence, ...endorsements]) value.fill(0);
      return verdict;
    });
    const expected = await verifyEvidence(options);
    expect([await cold, await warm, await without]).toEqual([expected, expected, expected]);
  });

  it('refuses with the same code, warm or not', async () => {
    const options = await make();
    const cache = new VerificationCache();
    await verifyEvidence({ ...options, cache });
    const attempts: readonly Partial<VerifyEvidenceOptions>[] = [
      { now: new Date(options.now.getTime() + 20_000 * day) },
      { now: new Date(options.now.getTime() - 20_000 * day) },
      { anchors: {} },
      { expectedReportData: new Uint8Array(64) },
      ...Array.from({ length: 60 }, (_, index) => {
        const place = Math.floor((index * options.evidence.value.length) / 60);
        return { evidence: flipped(options.evidence, place) };
      }),
      ...options.endorsements.flatMap((endorsement) =>
        Array.from({ length: 120 }, (_, index) => {
          const place = Math.floor((index * endorsement.value.length) / 120);
          return { endorsements: [flipped(endorsement, place)] };
        }),
      ),
    ];
    const refusals = new Set<string>();
    for (const attempt of attempts) {
      const outcome = async (means: VerificationMeans): Promise<string> =>
        verifyEvidence({ ...options, ...attempt, ...means }).then(
          () => 'accepted',
          (error: unknown) => (error instanceof FastnessError ? error.code : 'not of the registry'),
        );
      const cold = await outcome({});
      expect(await outcome({ cache })).toBe(cold);
      refusals.add(cold);
    }
    expect(refusals.size).toBeGreaterThan(4);
    expect(refusals).not.toContain('not of the registry');
  });
});

describe('a verification cache', () => {
  it('keeps no signature that does not hold', async () => {
    const options = await prepare();
    const cache = new VerificationCache();
    const refusing: SignatureVerifier = async () => false;
    await expect(verifyEvidence({ ...options, cache, signatures: refusing })).rejects.toThrow();
    const { signatures, asked } = counting();
    await verifyEvidence({ ...options, cache, signatures });
    expect(asked()).toBe(5);
  });

  it('keeps its own copy: a buffer that changes later is read anew', async () => {
    const options = await prepare();
    const [endorsement] = options.endorsements as [Cmw];
    const value = endorsement.value.slice();
    const cache = new VerificationCache();
    await verifyEvidence({ ...options, endorsements: [{ ...endorsement, value }], cache });
    // The last byte belongs to the signature of the revocation list.
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    await expect(
      verifyEvidence({ ...options, endorsements: [{ ...endorsement, value }], cache }),
    ).rejects.toMatchObject({ code: 'SNP_CRL_SIGNATURE' });
  });

  it('knows an issuer by what it checked, and by these very values', () => {
    const cache = new VerificationCache();
    const [issuer, child] = [{ name: 'issuer' }, { name: 'child' }];
    cache.noteIssued('one', issuer, child);
    expect(cache.knowsIssued('one', issuer, child)).toBe(true);
    expect(cache.knowsIssued('another', issuer, child)).toBe(false);
    expect(cache.knowsIssued('one', child, issuer)).toBe(false);
    expect(cache.knowsIssued('one', { ...issuer }, child)).toBe(false);
    expect(cache.knowsIssued('one', issuer, { ...child })).toBe(false);
    expect(new VerificationCache().knowsIssued('one', issuer, child)).toBe(false);
  });

  it('forgets what it has no room for, and still verifies', async () => {
    const options = await prepare();
    const { signatures, asked } = counting();
    const cache = new VerificationCache({ maxBytes: 2000 });
    await verifyEvidence({ ...options, cache, signatures });
    await verifyEvidence({ ...options, cache, signatures });
    expect(asked()).toBeGreaterThan(6);
    const none = new VerificationCache({ maxBytes: 0 });
    await verifyEvidence({ ...options, cache: none });
  });

  it('takes no other bytes for those it knows, whatever their tail', () => {
    const cache = new VerificationCache();
    const bytes = new Uint8Array(200).fill(7);
    const other = bytes.slice();
    other[0] = 8;
    expect(cache.read('kind', bytes, () => 'first')).toBe('first');
    expect(cache.read('kind', other, () => 'second')).toBe('second');
    expect(cache.read('another', bytes, () => 'third')).toBe('third');
    expect(cache.read('kind', other, () => 'fourth')).toBe('second');
  });
});
