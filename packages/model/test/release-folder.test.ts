import { appendFile, mkdir, mkdtemp, readFile, readdir, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createSoftwareKeyStore, kdfBounds, type KeyStore } from '@fastness/keys';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { releaseDigestOf, verifyOmsBundle, verifyRelease, type Quorum } from '../src/release/index.ts';
import { approveRelease, readReleasePackage, signApproval, signRelease, verifyModel } from '../src/signing/index.ts';
import { makeManifest, makeRelease, now, sealedFiles } from './release-package-support.ts';
import { expectCode } from './release-support.ts';

let storeFolder: string;
let keyStore: KeyStore;
let dir: string;
let quorum: Quorum;
let ownerKeys: Uint8Array[];

beforeAll(async () => {
  storeFolder = await mkdtemp(join(tmpdir(), 'fastness-release-keys-'));
  const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
  const path = join(storeFolder, 'keys');
  keyStore = await createSoftwareKeyStore({ path, passphrase: utf8Encode('passphrase'), cost });
  await keyStore.create({ id: 'owner', purpose: 'sign', algorithm: 'P-384' });
  await keyStore.create({ id: 'ada', purpose: 'sign', algorithm: 'P-256' });
  await keyStore.create({ id: 'grace', purpose: 'sign', algorithm: 'Ed25519' });
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  ownerKeys = [await keyStore.publicKey('owner')];
  quorum = {
    threshold: 2,
    approvers: await Promise.all(['ada', 'grace'].map(async (id) => ({ id, publicKey: await keyStore.publicKey(id) }))),
  };
});
afterAll(async () => {
  await keyStore[Symbol.asyncDispose]();
  await rm(storeFolder, { recursive: true });
});

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fastness-release-'));
  const files = { ...sealedFiles, 'manifest.json': JSON.stringify(makeManifest()), 'keys.json': '{}' };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
});
afterEach(() => rm(dir, { recursive: true }));

const sign = (release = makeRelease()) => signRelease({ dir, release, keyStore, keyId: 'owner' });
const approve = (approver: string) => approveRelease({ dir, approver, keyStore, keyId: approver, now, ownerKeys });
const verify = async () => verifyRelease({ package: await readReleasePackage(dir), ownerKeys, quorum, now });

describe('a release from signing to verification', () => {
  it('is signed, approved, read and verified', async () => {
    const { releaseDigest, removedApprovals } = await sign();
    expect(removedApprovals).toEqual([]);
    await expectCode(verify(), 'APPROVAL_MISSING');
    const { path, release } = await approve('ada');
    expect([path, release.version]).toEqual([join(dir, 'approvals/ada.json'), 7]);
    await approve('grace');
    const verified = await verify();
    expect(verified.releaseDigest).toEqual(releaseDigest);
    expect(verified.approvedBy).toEqual(['ada', 'grace']);
    const { brokerKey = '' } = verified.release;
    expect(verified.release).toEqual(makeRelease({ brokerKey }));
  });

  it('leaves no temporary files, and one approval for each approver however often they approve', async () => {
    await sign();
    await approve('ada');
    await approve('ada');
    expect((await readdir(dir)).sort()).toEqual([
      'approvals',
      'files',
      'keys.json',
      'manifest.json',
      'model.sig',
      'release.json',
    ]);
    expect(await readdir(join(dir, 'approvals'))).toEqual(['ada.json']);
  });

  it('survives a rotation of keys.json, and is compared with what is on disk', async () => {
    await sign();
    await writeFile(join(dir, 'keys.json'), '{"rotated":true}');
    const { bundle } = await readReleasePackage(dir);
    const { statement } = await verifyOmsBundle({ bundle, publicKeys: ownerKeys });
    const options = { root: dir, statement, signaturePath: join(dir, 'model.sig') };
    expect(await verifyModel(options)).toMatchObject({ files: 4 });
    await appendFile(join(dir, 'files/config.json.floe'), 'x');
    await expectCode(verifyModel(options), 'OMS_DIGEST_MISMATCH');
  });

  it('can be approved by someone who only has its digest', async () => {
    const { releaseDigest } = await sign();
    const texts = await readReleasePackage(dir);
    const approvals = await Promise.all(
      ['ada', 'grace'].map((id) => signApproval({ releaseDigest, approver: id, keyStore, keyId: id, now })),
    );
    const verified = await verifyRelease({ package: { ...texts, approvals }, ownerKeys, quorum, now });
    expect(verified.approvedBy).toEqual(['ada', 'grace']);
  });
});

describe('signRelease', () => {
  it('removes the approvals of the release before', async () => {
    await sign();
    await approve('ada');
    const { removedApprovals } = await sign(makeRelease({ version: 8 }));
    expect(removedApprovals).toEqual(['ada.json']);
    expect((await readReleasePackage(dir)).approvals).toEqual([]);
  });

  it('refuses a version that does not rise', async () => {
    const release = makeRelease();
    await sign(release);
    const before = await readReleasePackage(dir);
    await expectCode(sign({ ...release, expires: '2027-01-01T00:00:00Z' }), 'RELEASE_VERSION_NOT_RISING');
    await expectCode(sign({ ...release, version: 6 }), 'RELEASE_VERSION_NOT_RISING');
    expect(await readReleasePackage(dir)).toEqual(before);
    await sign(release);
  });

  it('refuses the release of another model', () =>
    expectCode(sign(makeRelease({ modelId: 'acme/other' })), 'RELEASE_MODEL_MISMATCH'));

  it('refuses a malformed release before it writes anything', async () => {
    await expectCode(sign(makeRelease({ version: 0 })), 'RELEASE_MALFORMED');
    await expect(readFile(join(dir, 'release.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refuses a sealed model with a file missing or a file more', async () => {
    await writeFile(join(dir, 'files/stray.floe'), 'stray');
    await expectCode(sign(), 'RELEASE_FILE_UNLISTED');
    await unlink(join(dir, 'files/stray.floe'));
    await unlink(join(dir, 'files/config.json.floe'));
    await expectCode(sign(), 'RELEASE_FILE_UNSIGNED');
  });

  it('refuses a link among the sealed files', async () => {
    await symlink(join(dir, 'keys.json'), join(dir, 'files/link'));
    await expectCode(sign(), 'OMS_SYMLINK');
  });

  it('refuses keys that cannot sign a release', async () => {
    const release = makeRelease();
    await expectCode(signRelease({ dir, release, keyStore, keyId: 'grace' }), 'OMS_KEY_UNSUPPORTED');
    await expectCode(signRelease({ dir, release, keyStore, keyId: 'kek' }), 'KEYS_PURPOSE');
    await expectCode(signRelease({ dir, release, keyStore, keyId: 'absent' }), 'KEYS_ID_UNKNOWN');
  });
});

describe('approveRelease', () => {
  it('approves only what the owner signed', async () => {
    await sign();
    const stranger = [await keyStore.publicKey('ada')];
    const options = { dir, approver: 'ada', keyStore, keyId: 'ada', now };
    await expectCode(approveRelease({ ...options, ownerKeys: stranger }), 'OMS_KEY_UNKNOWN');
    const manifest = await readFile(join(dir, 'manifest.json'), 'utf8');
    await appendFile(join(dir, 'manifest.json'), ' ');
    await expectCode(approve('ada'), 'RELEASE_MANIFEST_DIGEST');
    await writeFile(join(dir, 'manifest.json'), manifest);
    await appendFile(join(dir, 'release.json'), ' ');
    await expectCode(approve('ada'), 'RELEASE_DOCUMENT_DIGEST');
  });

  it('refuses an expired release and an id that is no file name', async () => {
    await sign();
    const options = { dir, approver: 'ada', keyStore, keyId: 'ada', now };
    await expectCode(approveRelease({ ...options, now: new Date('2026-12-01T00:00:00Z') }), 'RELEASE_EXPIRED');
    await expectCode(approveRelease({ ...options, approver: '../ada' }), 'APPROVAL_APPROVER_ID');
  });

  it('does not hand out what would not verify, should a key store sign with another key', async () => {
    const { releaseDigest } = await sign();
    const confused: KeyStore = {
      kind: 'software',
      hardware: false,
      description: keyStore.description,
      list: () => keyStore.list(),
      create: (spec) => keyStore.create(spec),
      publicKey: (id) => keyStore.publicKey(id),
      wrap: (...rest) => keyStore.wrap(...rest),
      unwrap: (...rest) => keyStore.unwrap(...rest),
      sign: (_, message) => keyStore.sign('grace', message),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    const options = { keyStore: confused, now };
    await expectCode(signApproval({ ...options, releaseDigest, approver: 'ada', keyId: 'ada' }), 'APPROVAL_SIGNATURE');
    const release = makeRelease({ version: 8 });
    await expectCode(signRelease({ ...options, dir, release, keyId: 'owner' }), 'OMS_SIGNATURE');
  });
});

describe('readReleasePackage', () => {
  it('refuses what is missing, linked, enormous or not text', async () => {
    await expectCode(readReleasePackage(dir), 'OMS_IO');
    await sign();
    const release = join(dir, 'release.json');
    await writeFile(release, Buffer.of(0xff));
    await expectCode(readReleasePackage(dir), 'RELEASE_PACKAGE_MALFORMED');
    await writeFile(release, Buffer.alloc(300_000, ' '));
    await expectCode(readReleasePackage(dir), 'RELEASE_PACKAGE_MALFORMED');
    await unlink(release);
    await symlink(join(dir, 'manifest.json'), release);
    await expectCode(readReleasePackage(dir), 'OMS_IO');
    await unlink(release);
    await mkdir(release);
    await expectCode(readReleasePackage(dir), 'RELEASE_PACKAGE_MALFORMED');
    await rm(release, { recursive: true });
    await writeFile(release, '{}');
    await mkdir(join(dir, 'approvals'));
    for (let index = 0; index <= 64; index += 1) await writeFile(join(dir, `approvals/${index}.json`), '{}');
    await expectCode(readReleasePackage(dir), 'RELEASE_PACKAGE_MALFORMED');
  });

  it('gives texts to the byte', async () => {
    const { releaseDigest } = await sign();
    const { bundle, manifest } = await readReleasePackage(dir);
    expect(manifest).toBe(await readFile(join(dir, 'manifest.json'), 'utf8'));
    expect(await releaseDigestOf(bundle)).toEqual(releaseDigest);
  });
});
