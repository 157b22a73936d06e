import { toBase64Url } from '@fastness/codec/bytes';
import { encodeOwnerRoot, ownerRootToSign, type OwnerRoot } from '@fastness/model/release';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectCode } from '../../channel/test/support/errors.ts';
import { testKey, type TestKey } from '../../model/test/release-support.ts';
import { createClient, parseClientPolicy, verifyEnclave, type ClientMemory, type ClientPolicy } from '../src/index.ts';
import {
  forgeEnclave,
  makePackage,
  makeRelease,
  now,
  owner,
  policyFor,
  type ForgedEnclave,
} from './support/scenario.ts';
import { startServer } from './support/server.ts';

// The client pins a set with an old key only; the owner who signs releases came with the second set.
const old = testKey('P-256');
const later = testKey('P-384');
const nonce = new Uint8Array(32).fill(7);
const rootOf = (version: number, keys: { spki: Uint8Array }[], expires = '2026-12-01T00:00:00Z'): OwnerRoot => ({
  format: 'fastness/owners/v1',
  version,
  expires,
  threshold: 1,
  keys: keys.map(({ spki }) => toBase64Url(spki)),
});
const first = rootOf(1, [old]);
const second = rootOf(2, [owner]);
const third = rootOf(3, [later]);
const signedBy = (root: OwnerRoot, ...signers: TestKey[]): string => {
  const { payload, signed } = ownerRootToSign(root);
  const signatures = signers.map((key) => ({ signature: new Uint8Array(key.sign(signed)), keyId: '' }));
  return encodeOwnerRoot(payload, signatures);
};
const toSecond = signedBy(second, old, owner);
const toThird = signedBy(third, owner, later);

let enclave: ForgedEnclave;
beforeAll(async () => {
  enclave = await forgeEnclave();
});

const policyOf = (trusted = first, chain: string[] = []): ClientPolicy =>
  parseClientPolicy({ ...policyFor(), ownerKeys: trusted.keys, ownerRoots: { trusted, chain } });

async function verify(policy: ClientPolicy, owners?: string[], at = now, remembered = { owners: 0, releases: {} }) {
  const bundle = await enclave.attest(toBase64Url(nonce));
  const release = { ...bundle.release, ...(owners === undefined ? {} : { owners }) };
  return await verifyEnclave({
    bundle: { ...bundle, release },
    nonce,
    policy,
    now: at,
    anchors: enclave.anchors,
    remembered,
  });
}

describe('a client that pins a set of owner keys', () => {
  it('follows the sets that come with a release, or that its policy has', async () => {
    for (const verified of [await verify(policyOf(), [toSecond]), await verify(policyOf(first, [toSecond]))]) {
      expect(verified.owners).toEqual(second);
      expect(verified.checks.some(({ code }) => code === 'OWNER_ROOT_THRESHOLD')).toBe(true);
    }
    expect(await verify(policyFor())).not.toHaveProperty('owners');
  });

  it('refuses everything else, each with its code', async () => {
    await expectCode(() => verify(policyOf()), 'RELEASE_OWNER_UNKNOWN');
    // The owner who signed was replaced.
    await expectCode(() => verify(policyOf(), [toSecond, toThird]), 'RELEASE_OWNER_UNKNOWN');
    await expectCode(() => verify(policyOf(), [toThird]), 'OWNER_ROOT_VERSION');
    await expectCode(() => verify(policyOf(), [signedBy(second, owner)]), 'OWNER_ROOT_THRESHOLD');
    await expectCode(() => verify(policyOf(), [signedBy(second, later)]), 'OWNER_ROOT_SIGNATURE');
    await expectCode(() => verify(policyOf(), ['nothing']), 'OWNER_ROOT_MALFORMED');
    const ended = rootOf(2, [owner], '2026-11-23T12:00:00Z');
    const toEnded = signedBy(ended, old, owner);
    await expectCode(() => verify(policyOf(), [toEnded]), 'OWNER_ROOT_EXPIRED');
    const seen = { owners: 3, releases: {} };
    await expectCode(() => verify(policyOf(), [toSecond], now, seen), 'OWNER_ROOT_ROLLBACK');
    const newer = { owners: 0, releases: { 'acme/model': makeRelease().version + 1 } };
    await expectCode(() => verify(policyOf(), [toSecond], now, newer), 'RELEASE_VERSION_ROLLBACK');
    const other = { ...policyFor(), ownerRoots: { trusted: first, chain: [] } };
    await expectCode(() => parseClientPolicy(other), 'CLIENT_POLICY_INVALID');
  });

  it('remembers what it followed, where it is given a place for that', async () => {
    const memory: ClientMemory & { text?: string } = {
      read: async () => memory.text,
      write: async (text) => {
        memory.text = text;
      },
    };
    const served = async (owners: string[] | undefined, version: number): Promise<void> => {
      const release = makePackage({ release: JSON.stringify(makeRelease({ version })) });
      const from = await forgeEnclave({ release: owners === undefined ? release : { ...release, owners } });
      await using server = await startServer({ enclave: from, answer: () => ({}) });
      const client = createClient({
        url: server.url,
        policy: policyOf(),
        now: () => now,
        anchors: from.anchors,
        memory,
      });
      await client.verify();
    };
    await served([toSecond], 8);
    expect(JSON.parse(memory.text ?? '')).toEqual({
      format: 'fastness/client-memory/v1',
      owners: 2,
      releases: { 'acme/model': 8 },
    });
    await expectCode(() => served(undefined, 9), 'OWNER_ROOT_ROLLBACK');
    await expectCode(() => served([toSecond], 7), 'RELEASE_VERSION_ROLLBACK');
    await served([toSecond], 9);
    memory.text = (memory.text ?? '').replace('9', '"9"');
    await expectCode(() => served([toSecond], 9), 'CLIENT_MEMORY_INVALID');
  });
});
