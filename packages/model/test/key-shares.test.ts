import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  checkShare,
  deriveFileKey,
  fileAad,
  joinShares,
  parseManifest,
  readSealedModel,
  rewrapSealedModel,
  sealSharedModel,
  shareContext,
  splitRoot,
  type KeyShareSet,
  type Manifest,
  type ShareHolder,
} from '../src/index.ts';
import { brokersOf, parseRelease, verifyRelease, type Release } from '../src/release/index.ts';
import { makeManifest, makePackage, makeRelease, now, owner, quorum } from './release-package-support.ts';
import { codeOf } from './support/expect-code.ts';
import { openFile } from './support/open-model.ts';
import { bytes, newWorkspace, writeTree, type Workspace } from './support/workspace.ts';

const identity = { modelId: 'triage', sealId: '0123456789abcdef' };
type Shared = typeof identity & Pick<Manifest, 'keyShares'>;

async function sharing(threshold: number, count: number) {
  const root = bytes(32);
  const { set, shares } = await splitRoot(root, identity, { threshold, count });
  const manifest: Shared = { ...identity, keyShares: set };
  const some = (...numbers: number[]) =>
    new Map(numbers.map((index) => [index, shares[index - 1] ?? new Uint8Array()]));
  return { root, set, manifest, shares, some };
}

/** Every choice of `size` of the numbers 1 to `count`. */
function choices(count: number, size: number, from = 1): number[][] {
  if (size === 0) return [[]];
  const found: number[][] = [];
  for (let first = from; first <= count; first++)
    for (const rest of choices(count, size - 1, first + 1)) found.push([first, ...rest]);
  return found;
}

/** The code and the detail of a refusal. */
async function refusal(work: () => unknown): Promise<[ErrorCode, string | undefined]> {
  try {
    await work();
  } catch (error) {
    if (error instanceof FastnessError) return [error.code, error.detail];
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a root key in shares', () => {
  it.each([
    [2, 2],
    [2, 3],
    [3, 5],
    [16, 16],
  ])('comes back from every choice of %i of %i, in any order, and from no fewer', async (threshold, count) => {
    const { root, manifest, some } = await sharing(threshold, count);
    for (const numbers of choices(count, threshold)) {
      expect(await joinShares(manifest, some(...numbers.toReversed()))).toEqual(root);
    }
    const fewer = choices(count, threshold - 1);
    for (const numbers of fewer)
      expect(await codeOf(() => joinShares(manifest, some(...numbers)))).toBe('KEY_SHARES_TOO_FEW');
  });

  it('is not in fewer shares: one of two is as likely under any key', async () => {
    // Of a byte split 2 of 2, the values of one share cover all of 0 to 255 whatever the byte is.
    const seen = [0, 0xff].map(() => new Set<number>());
    for (const [at, byte] of [0, 0xff].entries()) {
      for (let round = 0; (seen[at]?.size ?? 0) < 256 && round < 20_000; round += 32) {
        const { shares } = await splitRoot(new Uint8Array(32).fill(byte), identity, { threshold: 2, count: 2 });
        for (const value of shares[0]?.subarray(0, 32) ?? []) seen[at]?.add(value);
      }
    }
    expect(seen.map(({ size }) => size)).toEqual([256, 256]);
  });

  it('names the share that was changed in any byte', async () => {
    const { manifest, some } = await sharing(2, 3);
    for (let at = 0; at < 33; at++) {
      const all = some(1, 2, 3);
      const wrong = all.get(2)?.slice() ?? new Uint8Array();
      wrong[at] = (wrong[at] ?? 0) ^ 1;
      expect(await refusal(() => joinShares(manifest, all.set(2, wrong)))).toEqual(['KEY_SHARE_MISMATCH', 'Share 2.']);
    }
    for (const wrong of [new Uint8Array(), bytes(32), bytes(34)])
      expect(await codeOf(() => checkShare(manifest, 3, wrong))).toBe('KEY_SHARE_MISMATCH');
  });

  it('takes no share of another number, set, threshold, count, sealing or model', async () => {
    const { manifest, set, shares } = await sharing(2, 3);
    const [first = bytes(33)] = shares;
    const check = (change: Partial<Shared>, index = 1) =>
      codeOf(() => checkShare({ ...manifest, ...change }, index, first));
    checkShare(manifest, 1, first);
    expect(await check({}, 2)).toBe('KEY_SHARE_MISMATCH');
    expect(await check({}, 4)).toBe('KEY_SHARE_MISMATCH');
    for (const change of [
      { keyShares: { ...set, threshold: 3 } },
      { keyShares: { ...set, setId: randomBytes(16).toString('hex') } },
      { keyShares: { ...set, shares: set.shares.slice(0, 2) } },
      { keyShares: (await sharing(2, 3)).set },
      { sealId: 'fedcba9876543210' },
      { modelId: 'other' },
    ]) {
      expect(await check(change)).toBe('KEY_SHARE_MISMATCH');
      // Nor does what seals a share to its broker open it there.
      expect(shareContext({ ...manifest, ...change }, 1)).not.toEqual(shareContext(manifest, 1));
    }
    expect(shareContext(manifest, 2)).not.toEqual(shareContext(manifest, 1));
    expect(await codeOf(() => shareContext(identity, 1))).toBe('KEY_SHARES_TOO_FEW');
  });

  it('does not pass for the key of a manifest that names another', async () => {
    const { manifest, set, some } = await sharing(2, 2);
    const other = { ...manifest, keyShares: { ...set, rootDigest: '00'.repeat(32) } };
    expect(await codeOf(() => joinShares(other, some(1, 2)))).toBe('KEY_SHARES_ROOT_MISMATCH');
  });

  it.each([
    [1, 2],
    [0, 2],
    [3, 2],
    [2, 17],
    [1.5, 2],
    [Number.NaN, 2],
  ])('is not split %d of %d', async (threshold, count) => {
    expect(await codeOf(() => splitRoot(bytes(32), identity, { threshold, count }))).toBe('KEY_SHARES_THRESHOLD');
  });
});

describe('a manifest with shares', () => {
  const digest = 'ab'.repeat(32);
  const list = (...numbers: number[]) => numbers.map((index) => ({ index, digest }));
  const set: KeyShareSet = { setId: '0'.repeat(32), threshold: 2, rootDigest: digest, shares: list(1, 2, 3) };
  const parse = (keyShares: unknown) => parseManifest(JSON.stringify({ ...makeManifest(), keyShares }));

  it('is read as it is written', () => expect(parse(set).keyShares).toEqual(set));

  it.each([
    ['a threshold of one', { ...set, threshold: 1 }],
    ['a threshold above the number of shares', { ...set, threshold: 4 }],
    ['a single share', { ...set, shares: list(1) }],
    ['a gap', { ...set, shares: list(1, 3) }],
    ['a number twice', { ...set, shares: list(1, 1, 2) }],
    ['numbers from zero', { ...set, shares: list(0, 1, 2) }],
    ['a short set id', { ...set, setId: '00' }],
    ['a member of its own', { ...set, note: 1 }],
  ])('is refused with %s', async (_, keyShares) => {
    expect(await codeOf(() => parse(keyShares))).toBe('MANIFEST_MALFORMED');
  });

  const keyOf = (): string =>
    Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), randomBytes(32)]).toString('base64url');
  const brokers = [1, 2, 3].map((index) => ({ index, brokerKey: keyOf() }));
  const shared = { setId: set.setId, threshold: 2, brokers };
  const { brokerKey, ...rest } = makeRelease();
  const releaseWith = (keyShares: NonNullable<Release['keyShares']>): Release => ({ ...rest, keyShares });
  const verify = (release: Release, keyShares?: KeyShareSet) =>
    verifyRelease({
      package: makePackage({
        manifest: JSON.stringify(makeManifest(keyShares === undefined ? {} : { keyShares })),
        release: JSON.stringify(release),
      }),
      ownerKeys: [owner.spki],
      quorum,
      now,
    });

  it('belongs to a release that names a broker for each share, in any order', async () => {
    const { release } = await verify(releaseWith({ ...shared, brokers: brokers.toReversed() }), set);
    expect(brokersOf(release).map(({ share }) => share)).toEqual([3, 2, 1]);
  });

  it.each([
    ['no shares at all', () => verify(makeRelease(), set)],
    ['shares that the manifest has not', () => verify(releaseWith(shared))],
    ['another set', () => verify(releaseWith({ ...shared, setId: '1'.repeat(32) }), set)],
    ['a lower threshold', () => verify(releaseWith(shared), { ...set, threshold: 3 })],
    ['a broker too few', () => verify(releaseWith({ ...shared, brokers: brokers.slice(1) }), set)],
    [
      'two brokers for one share',
      () =>
        verify(
          releaseWith({ ...shared, brokers: brokers.map((broker) => ({ index: 1, brokerKey: broker.brokerKey })) }),
          set,
        ),
    ],
  ])('does not belong to a release with %s', async (_, refused) => {
    expect(await codeOf(refused)).toBe('RELEASE_SHARES_MISMATCH');
  });

  it.each([
    ['a broker of the whole key as well', { ...releaseWith(shared), brokerKey }],
    ['a log of the whole key', { ...releaseWith(shared), logKey: 'log.example+00000000+AAAA' }],
    ['logs of the whole key', { ...releaseWith(shared), logKeys: ['log.example+00000000+AAAA'] }],
    [
      'one log and several at one broker',
      releaseWith({
        ...shared,
        brokers: brokers.map(({ index, brokerKey: key }) => ({
          index,
          brokerKey: key,
          logKey: 'log.example+00000000+AAAA',
          logKeys: ['other.example+00000000+AAAA'],
        })),
      }),
    ],
    ['neither', rest],
  ])('is not released with %s', async (_, release) => {
    expect(await codeOf(() => parseRelease(JSON.stringify(release)))).toBe('RELEASE_MALFORMED');
  });

  it('is not released to one broker twice', async () => {
    const twice = brokers.map(({ index }) => ({ index, brokerKey: brokers[0]?.brokerKey ?? '' }));
    expect(await codeOf(() => parseRelease(JSON.stringify(releaseWith({ ...shared, brokers: twice }))))).toBe(
      'RELEASE_MALFORMED',
    );
  });
});

describe('sealSharedModel', () => {
  let work: Workspace;
  beforeEach(async () => {
    work = await newWorkspace();
    writeTree(join(work.dir, 'source'), { 'model.onnx': bytes(20_000), 'config.json': bytes(7) });
  });
  afterEach(() => work[Symbol.asyncDispose]());

  /** A broker that keeps what it was given, and under which context. */
  const holder = (name: string, got: Map<string, { share: Uint8Array; context: Uint8Array }>): ShareHolder => ({
    recipient: { brokerKey: name.repeat(44), logKey: `log-${name}` },
    seal: async (share, context) => {
      got.set(name, { share: share.slice(), context });
      return { enc: 'AAAA', ciphertext: Buffer.from(name).toString('base64url') };
    },
  });
  const seal = (got: Map<string, { share: Uint8Array; context: Uint8Array }>, names = ['a', 'b', 'c'], threshold = 2) =>
    sealSharedModel({
      source: join(work.dir, 'source'),
      target: join(work.dir, 'sealed'),
      modelId: 'triage',
      engine: 'onnx',
      task: 'classify',
      segmentSize: 4096,
      threads: 1,
      threshold,
      holders: names.map((name) => holder(name, got)),
    });

  it('gives each holder its share and keeps none; two of them open the files', async () => {
    const got = new Map<string, { share: Uint8Array; context: Uint8Array }>();
    const manifest = await seal(got);
    const model = await readSealedModel(join(work.dir, 'sealed'));
    expect(model.manifest).toEqual(manifest);
    expect(model.keys).toMatchObject({
      kind: 'shares',
      setId: manifest.keyShares?.setId,
      shares: [
        { index: 1, recipient: { logKey: 'log-a' }, sealed: { ciphertext: 'YQ' } },
        { index: 2, recipient: { logKey: 'log-b' } },
        { index: 3, recipient: { logKey: 'log-c' } },
      ],
    });
    expect(got.get('b')?.context).toEqual(shareContext(manifest, 2));
    expect(await codeOf(() => model.wrappedRoot)).toBe('MODEL_KEY_SHARED');
    expect(await codeOf(() => rewrapSealedModel(model.dir, work.keyStore))).toBe('MODEL_KEY_SHARED');
    const shares = new Map([3, 1].map((index) => [index, got.get('abc'[index - 1] ?? '')?.share ?? new Uint8Array()]));
    const root = await joinShares(manifest, shares);
    for (const { path, size } of manifest.files) {
      const opened = await openFile({
        sealedPath: model.file(path).absolutePath,
        key: deriveFileKey(root, manifest, path),
        aad: fileAad(manifest, { path, size }),
        expectedSize: size,
      });
      expect(opened).toEqual(new Uint8Array(readFileSync(join(work.dir, 'source', path))));
    }
  });

  it('makes other shares every time', async () => {
    const got = new Map<string, { share: Uint8Array; context: Uint8Array }>();
    const first = await seal(got);
    const before = got.get('a')?.share;
    const second = await seal(got);
    expect(second.keyShares?.setId).not.toBe(first.keyShares?.setId);
    expect(got.get('a')?.share).not.toEqual(before);
  });

  it('refuses one holder twice, and a threshold that nobody can meet', async () => {
    expect(await codeOf(() => seal(new Map(), ['a', 'a']))).toBe('KEY_SHARES_THRESHOLD');
    expect(await codeOf(() => seal(new Map(), ['a', 'b'], 3))).toBe('KEY_SHARES_THRESHOLD');
  });
});
