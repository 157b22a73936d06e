import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  measurementBytes,
  parseApproval,
  parseRelease,
  verifyRelease,
  type ReleasePackage,
  type VerifyReleaseOptions,
} from '../src/release/index.ts';
import { expectCode, testKey } from './release-support.ts';
import {
  approvers,
  digestOfBundle,
  forgeApproval,
  makeManifest,
  makePackage,
  makeRelease,
  modelId,
  now,
  owner,
  quorum,
  sealedFiles,
  type PackageSpec,
} from './release-package-support.ts';

const verify = (texts: ReleasePackage, change: Partial<VerifyReleaseOptions> = {}) =>
  verifyRelease({ package: texts, ownerKeys: [owner.spki], quorum, now, ...change });
const expectRefused = (spec: PackageSpec, code: ErrorCode, change: Partial<VerifyReleaseOptions> = {}) =>
  expectCode(verify(makePackage(spec), change), code);
const without = (name: string) => (files: Record<string, string>) =>
  Object.fromEntries(Object.entries(files).filter(([each]) => each !== name));

describe('an honest release', () => {
  it('is accepted, and what it says is returned', async () => {
    const texts = makePackage();
    const verified = await verify(texts);
    expect(Buffer.from(verified.releaseDigest).toString('hex')).toBe(digestOfBundle(texts.bundle));
    expect(verified.manifest).toEqual(makeManifest());
    expect(verified.release).toMatchObject({ modelId, version: 7 });
    expect(verified.approvedBy).toEqual(['ada', 'grace']);
    expect(verified.ownerKeyId).toBe(owner.hint);
    expect(verified.resources.map(({ name }) => name)).toEqual([
      ...Object.keys(sealedFiles),
      'manifest.json',
      'release.json',
    ]);
  });

  it.each(['P-256', 'P-384', 'P-521'] as const)('may be signed with %s', async (algorithm) => {
    const key = testKey(algorithm);
    await verify(makePackage({ keys: [key] }), { ownerKeys: [owner.spki, key.spki] });
  });

  it('survives transport as JSON', async () => {
    await verify(JSON.parse(JSON.stringify(makePackage())));
  });
});

describe('the package', () => {
  it.each([
    ['null', null],
    ['a member less', { bundle: '', manifest: '', release: '' }],
    ['a member more', { ...makePackage(), extra: 1 }],
    ['too many approvals', { ...makePackage(), approvals: Array(65).fill('{}') }],
    ['an enormous release.json', { ...makePackage(), release: ' '.repeat(300_000) }],
  ])('is refused with %s', (_, value) =>
    expectCode(verify(JSON.parse(JSON.stringify(value))), 'RELEASE_PACKAGE_MALFORMED'),
  );
});

describe('the owner’s signature', () => {
  it('is refused without a pinned key', () => expectRefused({}, 'RELEASE_OWNER_KEYS', { ownerKeys: [] }));

  it('is refused by another key', () => expectRefused({ keys: [testKey('P-384')] }, 'RELEASE_OWNER_UNKNOWN'));

  it('is refused by another key that claims to be the owner’s', () =>
    expectRefused({ keys: [testKey('P-384')], material: { publicKey: { hint: owner.hint } } }, 'RELEASE_SIGNATURE'));

  it('is refused by an approver', () => expectRefused({ keys: [approvers.ada] }, 'RELEASE_OWNER_UNKNOWN'));

  it('is refused for an Ed25519 key, which OMS does not have', () =>
    expectRefused({}, 'OMS_KEY_UNSUPPORTED', { ownerKeys: [approvers.grace.spki] }));

  it.each([{ allow_symlinks: true }, { method: 'shards', shard_size: 1024 }])('is refused over %j', async (change) => {
    const files = 'shard_size' in change ? () => ({}) : undefined;
    await expectRefused(
      { serialization: change, ...(files === undefined ? {} : { signed: files }) },
      'RELEASE_SERIALIZATION',
    );
  });
});

describe('what is signed', () => {
  it.each(['manifest.json', 'release.json'])('must include %s', (name) =>
    expectRefused({ signed: without(name) }, 'RELEASE_RESOURCE_MISSING'),
  );

  it('is this manifest, to the byte', async () => {
    const texts = makePackage();
    await expectCode(verify({ ...texts, manifest: `${texts.manifest}\n` }), 'RELEASE_MANIFEST_DIGEST');
  });

  it('is this release.json, to the byte', async () => {
    const texts = makePackage();
    await expectCode(verify({ ...texts, release: `${texts.release} ` }), 'RELEASE_DOCUMENT_DIGEST');
    const longer = texts.release.replace('2026-12-01', '2036-12-01');
    await expectCode(verify({ ...texts, release: longer }), 'RELEASE_DOCUMENT_DIGEST');
  });

  it('is not matched by text that has no UTF-8', async () => {
    const texts = makePackage();
    await expectCode(verify({ ...texts, manifest: `${texts.manifest}\ud800` }), 'RELEASE_MANIFEST_DIGEST');
  });

  it('includes every file of the manifest', () =>
    expectRefused({ signed: without('files/weights/model.gguf.floe') }, 'RELEASE_FILE_UNSIGNED'));

  it('includes nothing that the manifest does not list', () =>
    expectRefused({ files: { ...sealedFiles, 'files/stray.floe': 'stray' } }, 'RELEASE_FILE_UNLISTED'));

  it('is one model', () =>
    expectRefused({ release: JSON.stringify(makeRelease({ modelId: 'acme/other' })) }, 'RELEASE_MODEL_MISMATCH'));

  it('is a manifest', () => expectRefused({ manifest: '{}', files: {} }, 'MANIFEST_MALFORMED'));
});

describe('release.json', () => {
  const release = makeRelease();
  const measurement = { tee: 'sev-snp', simulated: false, value: 'ab'.repeat(48) } as const;
  const logKey = 'log.example+0123abcd+AQID';
  it.each<[string, unknown]>([
    ['no JSON', 'text'],
    ['another format', { ...release, format: 'fastness/release/v2' }],
    ['a member more', { ...release, extra: 1 }],
    ['version 0', { ...release, version: 0 }],
    ['a broken version', { ...release, version: 1.5 }],
    ['a time without zone', { ...release, notBefore: '2026-11-01T00:00:00' }],
    ['an end before its beginning', { ...release, expires: release.notBefore }],
    ['no measurement', { ...release, measurements: [] }],
    ['a short measurement', { ...release, measurements: [{ ...measurement, value: 'ab' }] }],
    ['an upper-case measurement', { ...release, measurements: [{ ...measurement, value: 'AB'.repeat(48) }] }],
    [
      'a measurement that does not say whether it is simulated',
      { ...release, measurements: [{ tee: 'sev-snp', value: measurement.value }] },
    ],
    ['an unknown TEE', { ...release, measurements: [{ ...measurement, tee: 'toaster' }] }],
    ['a device', { ...release, measurements: [{ ...measurement, tee: 'nvidia-gpu' }] }],
    [
      'a measurement of another length than its TEE has',
      { ...release, measurements: [{ ...measurement, tee: 'sgx' }] },
    ],
    [
      'a simulated TEE of another kind',
      { ...release, measurements: [{ ...measurement, tee: 'tdx', simulated: true }] },
    ],
    ['a broker key of another kind', { ...release, brokerKey: Buffer.from(owner.spki).toString('base64url') }],
    ['no broker key', { ...release, brokerKey: '!' }],
    ['a log and several', { ...release, logKey, logKeys: [logKey] }],
    ['no log', { ...release, logKeys: [] }],
    ['a log twice', { ...release, logKeys: [logKey, logKey] }],
    ['a log that is none', { ...release, logKeys: ['log'] }],
    ['too many logs', { ...release, logKeys: Array.from({ length: 17 }, (_, index) => `${index}${logKey}`) }],
  ])('is refused with %s', (_, value) => expectRefused({ release: JSON.stringify(value) }, 'RELEASE_MALFORMED'));
});

describe('measurements', () => {
  it.each(Object.entries(measurementBytes).flatMap(([tee, lengths]) => lengths.map((bytes) => [tee, bytes] as const)))(
    'of %s may have %i bytes',
    (tee, bytes) => {
      const release = makeRelease();
      const measurements = [{ tee, simulated: false, value: 'ab'.repeat(bytes) }];
      expect(parseRelease(JSON.stringify({ ...release, measurements })).measurements).toEqual(measurements);
    },
  );
});

describe('time and version', () => {
  it('are the release’s: from its first instant to just before its last', async () => {
    const approvals = (releaseDigest: string) =>
      Object.entries(approvers).map(([approver, key]) =>
        forgeApproval({ approver, key, releaseDigest, change: { at: '2026-10-30T00:00:00Z' } }),
      );
    const texts = makePackage({ approvals });
    // The signer's clock may run five minutes ahead.
    await verify(texts, { now: new Date('2026-10-31T23:55:00.000Z') });
    await verify(texts, { now: new Date('2026-11-30T23:59:59.999Z') });
    await expectCode(verify(texts, { now: new Date('2026-10-31T23:54:59.999Z') }), 'RELEASE_NOT_YET_VALID');
    await expectCode(verify(texts, { now: new Date('2026-12-01T00:00:00Z') }), 'RELEASE_EXPIRED');
    await expectCode(verify(texts, { now: new Date(Number.NaN) }), 'RELEASE_NOT_YET_VALID');
  });

  it('never go back below what was accepted', async () => {
    const texts = makePackage();
    await verify(texts, { minimumVersion: 7 });
    await expectCode(verify(texts, { minimumVersion: 8 }), 'RELEASE_VERSION_ROLLBACK');
  });
});

describe('approvals', () => {
  const ada = (releaseDigest: string) => forgeApproval({ approver: 'ada', key: approvers.ada, releaseDigest });
  const grace = (releaseDigest: string) => forgeApproval({ approver: 'grace', key: approvers.grace, releaseDigest });
  const linus = (releaseDigest: string) => forgeApproval({ approver: 'linus', key: approvers.linus, releaseDigest });

  it('count in any order, by every kind of key, and beyond the threshold', async () => {
    const approvals = (digest: string) => [linus(digest), grace(digest), ada(digest)];
    expect((await verify(makePackage({ approvals }))).approvedBy).toEqual(['ada', 'grace', 'linus']);
  });

  it('are required', async () => {
    await expectRefused({ approvals: () => [] }, 'APPROVAL_MISSING');
    await expectRefused({ approvals: (digest) => [ada(digest)] }, 'APPROVAL_MISSING');
  });

  it('by one approver count once and are refused twice', async () => {
    await expectRefused({ approvals: (digest) => [ada(digest), ada(digest)] }, 'APPROVAL_DUPLICATE');
    await expectRefused({ approvals: (digest) => [ada(digest), grace(digest), ada(digest)] }, 'APPROVAL_DUPLICATE');
  });

  it('by someone else are refused, even beyond the threshold', () =>
    expectRefused(
      {
        approvals: (digest) => [
          ada(digest),
          grace(digest),
          forgeApproval({ approver: 'mallory', key: testKey(), releaseDigest: digest }),
        ],
      },
      'APPROVAL_UNKNOWN_APPROVER',
    ));

  it('in another’s name are refused', async () => {
    const inAdasName = (key: typeof owner) => (releaseDigest: string) => [
      forgeApproval({ approver: 'ada', key, releaseDigest }),
      grace(releaseDigest),
    ];
    await expectRefused({ approvals: inAdasName(testKey()) }, 'APPROVAL_SIGNATURE');
    await expectRefused({ approvals: inAdasName(approvers.linus) }, 'APPROVAL_SIGNATURE');
  });

  it('of another release do not carry over', async () => {
    const other = digestOfBundle(
      makePackage({ keys: [owner], release: JSON.stringify(makeRelease({ version: 6 })) }).bundle,
    );
    await expectRefused({ approvals: (digest) => [ada(digest), grace(other)] }, 'APPROVAL_OTHER_RELEASE');
  });

  it('cannot be altered after signing', async () => {
    const approvals = (digest: string) => {
      const envelope = JSON.parse(ada('0'.repeat(64)));
      const payload = Buffer.from(envelope.payload, 'base64').toString().replace('0'.repeat(64), digest);
      return [JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') }), grace(digest)];
    };
    await expectRefused({ approvals }, 'APPROVAL_SIGNATURE');
  });

  it('dated in the future are refused, but for small differences of clocks', async () => {
    const at = (time: string) => (releaseDigest: string) => [
      forgeApproval({ approver: 'ada', key: approvers.ada, releaseDigest, change: { at: time } }),
      grace(releaseDigest),
    ];
    await expectRefused({ approvals: at('2026-11-23T12:05:01Z') }, 'APPROVAL_FROM_FUTURE');
    await verify(makePackage({ approvals: at('2026-11-23T12:04:59Z') }));
  });

  it.each<[string, Record<string, unknown>]>([
    ['a rejection', { change: { decision: 'reject' } }],
    ['another format', { change: { format: 'fastness/approval/v2' } }],
    ['a member more', { change: { comment: 'fine' } }],
    ['a strange id', { approver: '../ada' }],
    ['a short digest', { change: { releaseDigest: 'ab' } }],
    ['another payload type', { payloadType: 'application/json' }],
    ['two signatures', { signatures: 2 }],
    ['no signature', { signatures: 0 }],
  ])('are refused when malformed: %s', (_, change) =>
    expectRefused(
      {
        approvals: (releaseDigest) => [
          forgeApproval({ approver: 'ada', key: approvers.ada, releaseDigest, ...change }),
          grace(releaseDigest),
        ],
      },
      'APPROVAL_MALFORMED',
    ),
  );

  it('are refused when they are a statement of the owner: payload types are part of what is signed', () =>
    expectRefused(
      {
        approvals: (digest) => {
          const asStatement = { approver: 'ada', key: approvers.ada, releaseDigest: digest } as const;
          const envelope = JSON.parse(forgeApproval({ ...asStatement, payloadType: 'application/vnd.in-toto+json' }));
          return [
            JSON.stringify({ ...envelope, payloadType: 'application/vnd.fastness.approval+json' }),
            grace(digest),
          ];
        },
      },
      'APPROVAL_SIGNATURE',
    ));
});

describe('parseApproval', () => {
  it('refuses a text that is far too long', () => {
    const padded = `${forgeApproval({ approver: 'ada', key: approvers.ada, releaseDigest: '0'.repeat(64) })}${' '.repeat(20_000)}`;
    expect(() => parseApproval(padded)).toThrowError(expect.objectContaining({ code: 'APPROVAL_MALFORMED' }));
  });
});

describe('the quorum', () => {
  const [ada, grace, linus] = quorum.approvers;
  if (ada === undefined || grace === undefined || linus === undefined) throw new Error('three approvers');

  it.each([0, -1, 4, 1.5, Number.NaN])('is refused with a threshold of %d of three', (threshold) =>
    expectRefused({}, 'APPROVAL_QUORUM_INVALID', { quorum: { ...quorum, threshold } }),
  );

  it('is refused without approvers', () =>
    expectRefused({}, 'APPROVAL_QUORUM_INVALID', { quorum: { threshold: 1, approvers: [] } }));

  it('is refused when an id occurs twice', () =>
    expectRefused({}, 'APPROVAL_QUORUM_SAME_ID', {
      quorum: { threshold: 2, approvers: [ada, { ...grace, id: 'ada' }] },
    }));

  it('is refused when one person would have two votes', () =>
    expectRefused({}, 'APPROVAL_QUORUM_SAME_KEY', {
      quorum: { threshold: 2, approvers: [ada, grace, { ...linus, publicKey: ada.publicKey }] },
    }));

  it('is refused with an id that no approval could name', () =>
    expectRefused({}, 'APPROVAL_APPROVER_ID', { quorum: { threshold: 1, approvers: [{ ...ada, id: 'Ada' }] } }));

  it('is refused with a key that cannot approve', () =>
    expectRefused({}, 'OMS_KEY_UNSUPPORTED', {
      quorum: { threshold: 1, approvers: [{ ...ada, publicKey: testKey('P-521').spki }] },
    }));
});
