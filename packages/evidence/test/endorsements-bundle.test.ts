import { describe, expect, it } from 'vitest';
import { verifyEvidence } from '@fastness/attest';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { fakeKds, fakePcs, forgedKdsMaterial, forgedPcsMaterial } from '@fastness/testkit/services';
import {
  completeEndorsements,
  decodeEndorsementBundle,
  encodeEndorsementBundle,
  importEndorsementBundle,
  isEndorsementBundle,
  openEndorsementCache,
  readEndorsementBundle,
  requestOf,
  type Endorsement,
} from '../src/endorsements/index.ts';
import { prepare } from '../../attest/test/support/forge.ts';
import { prepareDcap } from '../../attest/test/support/dcap-forge.ts';
import { codeOf, fake, forgedAmd, intelAt, later, now, sourceFor, temporaryDirectory } from './support/endorsements.ts';

/** Three machines, what was fetched for them, and the bundle of it. */
async function world() {
  const machines = [
    await prepare({ product: 'Genoa' }),
    await prepare({ product: 'Genoa' }),
    await prepareDcap({ kind: 'td-1.0' }),
  ] as const;
  const [one, two, td] = machines;
  const anchors = { ...one.anchors, ...td.anchors };
  const kds = forgedKdsMaterial(one.chain);
  const amd = await fake(
    fakeKds([{ ...kds, vceks: [...(kds.vceks ?? []), ...(forgedKdsMaterial(two.chain).vceks ?? [])] }]),
  );
  const intel = await fake(fakePcs({ material: [forgedPcsMaterial({ ...td, tee: 'tdx' })] }));
  const online = sourceFor({ anchors, services: { amd: amd.url, ...intelAt(intel) } });
  const fetched: Endorsement[] = [];
  for (const machine of machines) {
    fetched.push(...(await completeEndorsements({ ...machine, endorsements: [], source: online })).fetched);
  }
  const bytes = encodeEndorsementBundle(fetched, now);
  return { machines, anchors, bytes, fetched };
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const edited = (bytes: Uint8Array, edit: (bundle: Record<string, unknown>) => unknown): Uint8Array => {
  const bundle = JSON.parse(text(bytes)) as Record<string, unknown>;
  return new TextEncoder().encode(JSON.stringify(edit(bundle) ?? bundle));
};
const itemsOf = (bundle: Record<string, unknown>) => bundle['items'] as Record<string, unknown>[];

describe('a bundle of endorsements', () => {
  it('carries each thing once, with where it came from and its window', async () => {
    const { bytes } = await world();
    expect(isEndorsementBundle(bytes)).toBe(true);
    const { createdAt, items } = decodeEndorsementBundle(bytes);
    expect(createdAt).toEqual(now);
    expect(items.map(({ subject }) => subject.split('/').slice(0, 2).join('/'))).toEqual([
      'amd/chain',
      'amd/crl',
      'amd/vcek',
      'amd/vcek',
      'intel/pck-crl',
      'intel/qe-identity',
      'intel/root-crl',
      'intel/tcb-info',
    ]);
    for (const item of items) {
      expect(item.source).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[^?]*$/);
      expect(item.issued <= now && item.expires !== undefined && item.expires > now).toBe(true);
      expect(requestOf(item.subject).mediaType).toBe(item.mediaType);
    }
  });

  it('opens the evidence of each machine, offline', async () => {
    const { machines, bytes } = await world();
    for (const machine of machines) {
      const endorsements = readEndorsementBundle(bytes, { evidence: machine.evidence });
      expect(endorsements).toHaveLength(1);
      await verifyEvidence({ ...machine, endorsements });
    }
    // Without the evidence nobody can tell which VCEK is meant.
    const [one] = machines;
    const all = readEndorsementBundle(bytes).slice(0, 1);
    expect(await codeOf(verifyEvidence({ ...one, endorsements: all }))).toBe('SNP_CERTIFICATES_AMBIGUOUS');
  });

  it('of one machine is read without its evidence', async () => {
    const { machines, fetched } = await world();
    const [one, , td] = machines;
    const amdOnly = encodeEndorsementBundle(fetched.slice(0, 3), now);
    await verifyEvidence({ ...one, endorsements: readEndorsementBundle(amdOnly) });
    const intelOnly = encodeEndorsementBundle(fetched.slice(-4), now);
    await verifyEvidence({ ...td, endorsements: readEndorsementBundle(intelOnly) });
  });

  it('fills a cache that then serves without a network', async () => {
    const { machines, anchors, bytes } = await world();
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const offline = sourceFor({ anchors, services: {}, cache, offline: true });
    const [first] = machines;
    expect(await codeOf(completeEndorsements({ ...first, endorsements: [], source: offline }))).toBe(
      'ENDORSEMENT_OFFLINE',
    );
    const seen: number[] = [];
    const imported = await importEndorsementBundle(decodeEndorsementBundle(bytes), offline, (done) => seen.push(done));
    expect(imported.every((each) => 'endorsement' in each)).toBe(true);
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const machine of machines) {
      const { endorsements, fetched } = await completeEndorsements({ ...machine, endorsements: [], source: offline });
      expect(fetched.every(({ from }) => from === 'cache')).toBe(true);
      await verifyEvidence({ ...machine, endorsements });
    }
  });

  it('serves a source directly, and a cache on the way', async () => {
    const { machines, anchors, bytes } = await world();
    const { items } = decodeEndorsementBundle(bytes);
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const source = sourceFor({ anchors, services: {}, items, cache, offline: true });
    const [one] = machines;
    const { fetched } = await completeEndorsements({ ...one, endorsements: [], source });
    expect(fetched.map(({ from }) => from)).toEqual(['bundle', 'bundle', 'bundle']);
    const later2 = sourceFor({ anchors, services: {}, cache, offline: true });
    expect((await completeEndorsements({ ...one, endorsements: [], source: later2 })).fetched[0]?.from).toBe('cache');
  });

  it.each([
    ['a forged body', (item: Record<string, unknown>) => ({ ...item, body: 'MAAA' }), 'ENDORSEMENT_RESPONSE'],
    [
      'the body of another chip',
      (item: Record<string, unknown>, all: Record<string, unknown>[]) => ({ ...item, body: all[3]?.['body'] }),
      'ENDORSEMENT_MISMATCH',
    ],
    ['no issuers', (item: Record<string, unknown>) => ({ ...item, issuerChain: [] }), 'ENDORSEMENT_UNAUTHENTIC'],
    [
      'another media type',
      (item: Record<string, unknown>) => ({ ...item, mediaType: 'text/plain' }),
      'ENDORSEMENT_MISMATCH',
    ],
    [
      'a subject that nobody knows',
      (item: Record<string, unknown>) => ({ ...item, subject: 'acme/x' }),
      'ENDORSEMENT_SUBJECT_UNKNOWN',
    ],
    [
      'a subject in another spelling',
      (item: Record<string, unknown>) => ({ ...item, subject: `${String(item['subject'])}/` }),
      'ENDORSEMENT_SUBJECT_UNKNOWN',
    ],
  ])('keeps out an item with %s, and takes the others', async (_what, change, code) => {
    const { anchors, bytes } = await world();
    const spoiled = edited(bytes, (bundle) => {
      const items = itemsOf(bundle);
      return { ...bundle, items: items.map((item, index) => (index === 2 ? change(item, items) : item)) };
    });
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const source = sourceFor({ anchors, services: {}, cache, offline: true });
    const imported = await importEndorsementBundle(decodeEndorsementBundle(spoiled), source);
    expect(imported.map((each) => ('error' in each ? each.error.code : 'kept'))).toEqual([
      'kept',
      'kept',
      code,
      ...Array.from({ length: 5 }, () => 'kept'),
    ]);
    // The windows beside the bodies are not believed.
    const dated = edited(bytes, (bundle) => {
      for (const item of itemsOf(bundle))
        Object.assign(item, { issued: later(9).toISOString(), expires: later(99).toISOString() });
    });
    const again = await importEndorsementBundle(decodeEndorsementBundle(dated), source);
    expect(again.every((each) => 'endorsement' in each)).toBe(true);
  });

  it('with any byte changed keeps what it says about a subject, or is refused by a code of the registry', async () => {
    const { anchors, bytes } = await world();
    const bodies = new Map(decodeEndorsementBundle(bytes).items.map(({ subject, body }) => [subject, toHex(body)]));
    const source = sourceFor({ anchors, services: {}, offline: true });
    const outcomes: Record<string, number> = {};
    for (let offset = 60; offset < bytes.length; offset += 331) {
      const changed = bytes.map((byte, at) => (at === offset ? byte ^ (1 << (offset % 7)) : byte));
      try {
        for (const each of await importEndorsementBundle(decodeEndorsementBundle(changed), source)) {
          const code = 'error' in each ? each.error.code : 'kept';
          outcomes[code] = (outcomes[code] ?? 0) + 1;
          // An ECDSA certificate inside a chain may change where its own signature does not matter; a body may not.
          if ('endorsement' in each) expect(toHex(each.item.body)).toBe(bodies.get(each.item.subject));
        }
      } catch (error) {
        if (!(error instanceof FastnessError)) throw error;
        outcomes[error.code] = (outcomes[error.code] ?? 0) + 1;
      }
    }
    expect(Object.keys(outcomes).filter((code) => !/^(?:kept|ENDORSEMENT_[A-Z_]+)$/.test(code))).toEqual([]);
    expect(outcomes['kept']).toBeGreaterThan(0);
  });

  it('from before a revocation is refused by a cache that has seen the list', async () => {
    const amd = await forgedAmd();
    const options = await prepare({ product: 'Genoa' });
    const material = forgedKdsMaterial(options.chain);
    const bundleWith = async (number: number): Promise<Uint8Array> => {
      const crl = await options.chain.issueCrl({ number });
      const service = await fake(fakeKds([{ ...material, crl }]));
      const source = sourceFor({ anchors: amd.anchors, services: { amd: service.url } });
      return encodeEndorsementBundle(
        (await completeEndorsements({ ...options, endorsements: [], source })).fetched,
        now,
      );
    };
    const [old, fresh] = [await bundleWith(3), await bundleWith(4)];
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const source = sourceFor({ anchors: amd.anchors, services: {}, cache, offline: true });
    const outcome = async (bytes: Uint8Array) =>
      (await importEndorsementBundle(decodeEndorsementBundle(bytes), source)).flatMap((each) =>
        'error' in each ? [each.error.code] : [],
      );
    expect(await outcome(fresh)).toEqual([]);
    expect(await outcome(old)).toEqual(['ENDORSEMENT_ROLLED_BACK']);
  });

  it('that has expired is refused at the time of import', async () => {
    const { anchors, bytes } = await world();
    const cache = await openEndorsementCache({ directory: await temporaryDirectory() });
    const source = sourceFor({ anchors, services: {}, cache, offline: true, at: () => later(40) });
    const imported = await importEndorsementBundle(decodeEndorsementBundle(bytes), source);
    const codes = imported.map((each) => ('error' in each ? each.error.code : 'kept'));
    expect(codes.filter((code) => code === 'ENDORSEMENT_STALE')).toHaveLength(5);
    expect(codes.filter((code) => code === 'kept')).toHaveLength(3);
  });

  it.each([
    ['another file', () => new TextEncoder().encode('{"hello":1}'), 'ENDORSEMENT_BUNDLE_UNKNOWN'],
    [
      'a later version',
      (bytes: Uint8Array) => new TextEncoder().encode(text(bytes).replace('/v1"', '/v2"')),
      'ENDORSEMENT_BUNDLE_UNKNOWN',
    ],
    ['a truncated file', (bytes: Uint8Array) => bytes.subarray(0, -40), 'ENDORSEMENT_BUNDLE_MALFORMED'],
    [
      'bytes that are no text',
      (bytes: Uint8Array) => Uint8Array.of(...bytes.subarray(0, 300), 0xff, 0xfe),
      'ENDORSEMENT_BUNDLE_MALFORMED',
    ],
    [
      'an unknown member',
      (bytes: Uint8Array) => edited(bytes, (bundle) => ({ ...bundle, signature: 'none' })),
      'ENDORSEMENT_BUNDLE_MALFORMED',
    ],
    [
      'the same subject twice',
      (bytes: Uint8Array) =>
        edited(bytes, (bundle) => ({ ...bundle, items: [itemsOf(bundle)[0], itemsOf(bundle)[0]] })),
      'ENDORSEMENT_BUNDLE_MALFORMED',
    ],
    [
      'base64 of another alphabet',
      (bytes: Uint8Array) =>
        edited(bytes, (bundle) => ({ ...bundle, items: [{ ...itemsOf(bundle)[0], body: 'a+/=' }] })),
      'ENDORSEMENT_BUNDLE_MALFORMED',
    ],
    [
      'base64 that is not canonical',
      (bytes: Uint8Array) => edited(bytes, (bundle) => ({ ...bundle, items: [{ ...itemsOf(bundle)[0], body: 'AB' }] })),
      'ENDORSEMENT_BUNDLE_MALFORMED',
    ],
    [
      'a date that is none',
      (bytes: Uint8Array) => edited(bytes, (bundle) => ({ ...bundle, createdAt: 'yesterday' })),
      'ENDORSEMENT_BUNDLE_MALFORMED',
    ],
  ])('is not read from %s', async (_what, spoil, code) => {
    const { bytes } = await world();
    expect(await codeOf(async () => Promise.resolve(readEndorsementBundle(spoil(bytes))))).toBe(code);
  });
});
