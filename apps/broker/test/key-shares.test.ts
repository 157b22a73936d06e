import { randomBytes } from 'node:crypto';
import {
  hpkeOpen,
  keyReleaseAad,
  keyReleaseInfo,
  sealedKeyFromJson,
  sealedKeyToJson,
  sealShareTo,
  shareReleaseAad,
  shareReleaseInfo,
} from '@fastness/channel';
import { fromBase64Url, toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { wrappedKeyToJson } from '@fastness/keys';
import { checkShare, joinShares, rootKeyContext, shareContext, splitRoot } from '@fastness/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBrokerCard, type Broker, type GivenKeys } from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey, type Answer, type TestEnclave } from './actors.ts';
import { createShareBroker, releaseShared, sealShared, type ShareBroker, type SharedRelease } from './share-brokers.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, type World } from './world.ts';

let world: World;
let brokers: ShareBroker[];
let running: Broker[];
let sealed: string;
let release: SharedRelease;

const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index];
  if (found === undefined) throw new Error('absent');
  return found;
};

beforeAll(async () => {
  world = await createWorld(temporaryDirectory());
  brokers = [await createShareBroker(world), await createShareBroker(world), await createShareBroker(world)];
  sealed = await sealShared(world, { brokers, threshold: 2 });
  release = await releaseShared(world, sealed);
  const needsGpus = {
    ...world.policy,
    id: 'with-gpus',
    attestation: {
      ...world.policy.attestation,
      nvidiaGpu: { architectures: ['hopper' as const] },
      devices: [{ kind: 'nvidia-gpu' as const, minimum: 1 }],
    },
  };
  running = [
    await at(brokers, 0).start(),
    await at(brokers, 1).start(),
    // The third wants to see evidence of a second vendor.
    await at(brokers, 2).start({ policy: needsGpus }),
  ];
  for (const [index, broker] of running.entries()) {
    const answer = await register(broker, release.keysOf(at(brokers, index)));
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  }
});
afterAll(async () => {
  for (const broker of running) await broker.close();
  for (const { keyStore } of brokers) await keyStore[Symbol.asyncDispose]();
});

const register = (broker: Pick<Broker, 'url'>, keys: GivenKeys, of: SharedRelease = release): Promise<Answer> =>
  admin.register(broker.url, { package: of.package, keys });

/** What one broker gives to an attested enclave. */
async function shareFrom(index: number, enclave: TestEnclave): Promise<Uint8Array> {
  const enclaveNonce = new Uint8Array(randomBytes(32));
  const response = granted(await requestKey(at(running, index).url, { world, enclave, release, enclaveNonce }));
  expect(response.sealedRoot).toBeUndefined();
  const { sealedShare } = response;
  if (sealedShare === undefined) throw new Error('no share');
  expect(sealedShare.index).toBe(index + 1);
  const binding = { releaseDigest: release.digest, keyConfigDigest: enclave.keyConfigDigest, enclaveNonce };
  const { setId } = release.file;
  const open = (info: Uint8Array, aad: Uint8Array): Promise<Uint8Array> =>
    hpkeOpen({ keys: enclave.keys, info, aad, ...sealedKeyFromJson(sealedShare) });
  const refused = expect.objectContaining({ code: 'CHANNEL_SEALED_KEY' });
  // Neither as a root key nor as another share.
  await expect(open(keyReleaseInfo, keyReleaseAad(binding))).rejects.toEqual(refused);
  await expect(open(shareReleaseInfo, shareReleaseAad({ ...binding, setId, index: index + 2 }))).rejects.toEqual(
    refused,
  );
  return open(shareReleaseInfo, shareReleaseAad({ ...binding, setId, index: index + 1 }));
}

describe('brokers that share a key', () => {
  it('give a share each, of which two join to the key, and say which in their logs', async () => {
    const enclave = await createEnclave();
    const shares = new Map([
      [1, await shareFrom(0, enclave)],
      [2, await shareFrom(1, enclave)],
    ]);
    expect((await joinShares(release.manifest, shares)).length).toBe(32);
    const { setId } = release.file;
    for (const [index, broker] of running.slice(0, 2).entries()) {
      const keyShare = { setId, index: index + 1, threshold: 2 };
      const entries = await admin.audit(broker.url);
      for (const kind of ['release-registered', 'key-released'])
        expect(entries.findLast((entry) => entry.kind === kind)?.facts).toMatchObject({ keyShare });
    }
  });

  it('renew leases by themselves, and log the share', async () => {
    const enclave = await createEnclave();
    const { url } = at(running, 0);
    const { facts } = granted(await requestKey(url, { world, enclave, release })) && (await admin.audit(url)).at(-1)!;
    const renewed = granted(await requestKey(url, { world, enclave, release, leaseId: String(facts['leaseId']) }));
    expect(renewed).not.toHaveProperty('sealedShare');
    expect((await admin.audit(url)).at(-1)).toMatchObject({ kind: 'lease-renewed', facts: { keyShare: { index: 1 } } });
    // A lease of one broker is nothing to the other.
    const stranger = await requestKey(at(running, 1).url, {
      world,
      enclave,
      release,
      leaseId: String(facts['leaseId']),
    });
    expect(refusalOf(stranger)).toBe('BROKER_LEASE_UNKNOWN');
  });

  it('appraise under a policy of their own: one asks for a GPU as well', async () => {
    const enclave = await createEnclave();
    granted(await requestKey(at(running, 1).url, { world, enclave, release }));
    expect(refusalOf(await requestKey(at(running, 2).url, { world, enclave, release }))).toBe('ATTEST_DEVICE_MISSING');
  });

  it('rotate what wraps their share; the release and the other brokers know nothing of it', async () => {
    const enclave = await createEnclave();
    const before = await shareFrom(1, enclave);
    const { url } = at(running, 1);
    const admins = (json: object): Promise<Answer> =>
      call(`${url}/v1/admin/wrapping-keys`, { method: 'POST', token: adminToken, json });
    expect(await admins({ change: 'rotate', keyId: 'kek' })).toMatchObject({
      status: 200,
      body: { version: 2, rewrapped: 1 },
    });
    expect(await shareFrom(1, enclave)).toEqual(before);
    const raised = await admins({ change: 'minimum-version', keyId: 'kek', minimumVersion: 2 });
    expect(raised.status, JSON.stringify(raised.body)).toBe(200);
    expect(await shareFrom(1, enclave)).toEqual(before);
    // The key of the card is wrapped by what is out of use now.
    expect(refusalOf(await register(at(running, 1), release.keysOf(at(brokers, 1))))).toBe(
      'LIFECYCLE_VERSION_BELOW_MINIMUM',
    );
  });
});

describe('a share is registered', () => {
  /** A delivery to the first broker, sealed anew by somebody who may seal what they like. */
  const delivery = async (share: Uint8Array, context: Uint8Array): Promise<GivenKeys> => {
    const publicKey = fromBase64Url(at(brokers, 0).card.intakeKey);
    const message = sealedKeyToJson(await sealShareTo({ publicKey, context, share }));
    return { format: 'fastness/key-share-delivery/v1', setId: release.file.setId, index: 1, sealed: message };
  };
  const first = () => at(running, 0);
  const whole = async (): Promise<GivenKeys> => {
    const { keyStore } = at(brokers, 0);
    const wrapped = await keyStore.wrap('kek', new Uint8Array(32), rootKeyContext(release.manifest));
    return { format: 'fastness/keys/v1', root: wrappedKeyToJson(wrapped) };
  };

  it('by the broker that it is for alone', async () => {
    expect(() => release.keysOf({ publicKey: world.brokerKey })).toThrow(
      expect.objectContaining({ code: 'BROKER_SHARE_NOT_MINE' }),
    );
    const other = release.keysOf(at(brokers, 1));
    expect(refusalOf(await register(first(), other))).toBe('BROKER_SHARE_NOT_MINE');
    // The host writes the right number onto it.
    expect(refusalOf(await register(first(), { ...other, index: 1 } as GivenKeys))).toBe('BROKER_SHARE_UNREADABLE');
  });

  it('with the set of the release', async () => {
    const keys = { ...release.keysOf(at(brokers, 0)), setId: '0'.repeat(32) } as GivenKeys;
    expect(refusalOf(await register(first(), keys))).toBe('BROKER_SHARE_NOT_MINE');
  });

  it('and not the whole key in its place, nor a share where the whole key belongs', async () => {
    expect(refusalOf(await register(first(), await whole()))).toBe('BROKER_SHARE_NOT_MINE');
    const single = await world.start();
    const plain = await world.release();
    const answer = await admin.register(single.url, { package: plain.package, keys: release.keysOf(at(brokers, 0)) });
    expect(refusalOf(answer)).toBe('BROKER_SHARE_NOT_MINE');
    const rewrapped = { releaseDigest: release.digestHex, keys: await whole() };
    const put = { method: 'PUT', token: adminToken, json: rewrapped };
    expect(refusalOf(await call(`${first().url}/v1/admin/wrapped-keys`, put))).toBe('BROKER_SHARE_NOT_MINE');
    await single.close();
  });

  it('under the threshold, the set and the sealing that it was made for', async () => {
    const share = await shareFrom(0, await createEnclave());
    const set = release.manifest.keyShares!;
    for (const manifest of [
      { ...release.manifest, keyShares: { ...set, threshold: 3 } },
      { ...release.manifest, keyShares: { ...set, setId: '0'.repeat(32) } },
      { ...release.manifest, sealId: '0'.repeat(16) },
    ]) {
      const keys = await delivery(share, shareContext(manifest, 1));
      expect(refusalOf(await register(first(), keys))).toBe('BROKER_SHARE_UNREADABLE');
    }
  });

  it('with the bytes that the manifest fixes', async () => {
    const { shares } = await splitRoot(new Uint8Array(32), release.manifest, { threshold: 2, count: 3 });
    const keys = await delivery(at(shares, 0), shareContext(release.manifest, 1));
    expect(refusalOf(await register(first(), keys))).toBe('KEY_SHARE_MISMATCH');
  });

  it('wrapped, under the context of the share', async () => {
    const { keyStore } = at(brokers, 0);
    const share = await shareFrom(0, await createEnclave());
    checkShare(release.manifest, 1, share);
    const wrapped = async (context: Uint8Array): Promise<GivenKeys> => {
      const under = wrappedKeyToJson(await keyStore.wrap('kek', share, context));
      return { format: 'fastness/key-share/v1', setId: release.file.setId, index: 1, share: under };
    };
    expect((await register(first(), await wrapped(shareContext(release.manifest, 1)))).status).toBe(200);
    for (const context of [shareContext(release.manifest, 2), rootKeyContext(release.manifest)]) {
      expect(refusalOf(await register(first(), await wrapped(context)))).toBe('BROKER_WRAPPED_KEY_UNUSABLE');
    }
  });

  it('where the broker has a key to take it in, and the release names it', async () => {
    const keys = release.keysOf(at(brokers, 0));
    const { keyStore } = at(brokers, 0);
    const bare = await world.start({ keyStore, signer: { keyStore, keyId: 'broker' } });
    expect(refusalOf(await register(bare, keys))).toBe('BROKER_SHARE_INTAKE');
    await bare.close();
    const stranger = await world.start();
    expect(refusalOf(await register(stranger, keys))).toBe('BROKER_RELEASE_OTHER_BROKER');
    await stranger.close();
  });

  it('with the log that the release names for this broker', async () => {
    const other = at(release.file.shares, 1).recipient.logKey;
    const set = release.manifest.keyShares!;
    const named = release.file.shares.map(({ index, recipient: { brokerKey } }) => ({
      index,
      brokerKey,
      logKey: other,
    }));
    const changed = await releaseShared(world, sealed, {
      version: 2,
      keyShares: { setId: set.setId, threshold: 2, brokers: named },
    });
    expect(refusalOf(await register(first(), changed.keysOf(at(brokers, 0)), changed))).toBe(
      'BROKER_RELEASE_OTHER_LOG',
    );
  });
});

describe('the card of a broker', () => {
  const refusal = async (text: string): Promise<string> => {
    try {
      await readBrokerCard(text);
    } catch (error) {
      if (error instanceof FastnessError) return error.code;
      throw error;
    }
    return 'accepted';
  };

  it('verifies as a whole, and with no key of another', async () => {
    const [one, other] = [at(brokers, 0).card, at(brokers, 1).card];
    expect(await readBrokerCard(JSON.stringify(one))).toEqual(one);
    for (const member of ['brokerKey', 'logKey', 'intakeKey', 'signature'] as const)
      expect(await refusal(JSON.stringify({ ...one, [member]: other[member] }))).toBe('CARD_SIGNATURE');
    const noKey = toBase64Url(utf8Encode('not the form of an Ed25519 key, and 44 bytes'));
    expect(await refusal(JSON.stringify({ ...one, brokerKey: noKey }))).toBe('CARD_SIGNATURE');
  });

  it('has its own form', async () => {
    const { card } = at(brokers, 0);
    for (const text of ['', '{}', JSON.stringify({ ...card, note: 1 }), JSON.stringify({ ...card, intakeKey: 'AA' })])
      expect(await refusal(text)).toBe('CARD_MALFORMED');
  });
});
