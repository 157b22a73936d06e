import { keyConfigDigestOf } from '@fastness/attest';
import {
  generateReceiptKey,
  signLease,
  signSuccession,
  type LeaseClaims,
  type ReceiptKey,
  type SignBytes,
} from '@fastness/channel';
import type { AttestationBundle } from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url } from '@fastness/codec/bytes';
import { releaseDigestOf } from '@fastness/model/release';
import { makeManifest } from '../../../model/test/release-package-support.ts';
import { forgeEnclave, makePackage, makeRelease, packageOf, type ForgedEnclave } from './scenario.ts';

/** Of one broker. */
export type ShownLease = Extract<AttestationBundle['lease'], { token: string }>;

/** A broker that leases, and an enclave whose release names it. */
export interface LeasedEnclave {
  readonly enclave: ForgedEnclave;
  /** A lease for the keys of a bundle; `change` makes exactly one thing of it different. */
  readonly lease: (bundle: AttestationBundle, change?: Partial<LeaseClaims>, sign?: SignBytes) => Promise<ShownLease>;
  /** A lease for keys that came first, with their word for those of the bundle. */
  readonly afterRotation: (bundle: AttestationBundle, change?: Succession) => Promise<ShownLease>;
}

interface Succession {
  /** Whom the word is about. */
  readonly about?: Uint8Array;
  /** Who gives it. */
  readonly by?: ReceiptKey;
}

interface BrokerKey {
  /** SubjectPublicKeyInfo DER, base64url. */
  readonly key: string;
  readonly sign: SignBytes;
}

async function makeBrokerKey(): Promise<BrokerKey> {
  const { subtle } = globalThis.crypto;
  const pair = await subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new TypeError('no key pair');
  return {
    key: toBase64Url(new Uint8Array(await subtle.exportKey('spki', pair.publicKey))),
    sign: async (bytes) => new Uint8Array(await subtle.sign('Ed25519', pair.privateKey, new Uint8Array(bytes))),
  };
}

const digestOf = async ({ keyConfig, receiptKey }: Pick<AttestationBundle, 'keyConfig' | 'receiptKey'>) =>
  keyConfigDigestOf({ ohttpKeyConfig: fromBase64Url(keyConfig), receiptKey: fromBase64Url(receiptKey) });

/** Signs leases of one minute for the release of an enclave. */
async function leasesFor({ release }: ForgedEnclave) {
  const releaseDigest = await releaseDigestOf(release.bundle);
  return async (keyConfigDigest: Uint8Array, change: Partial<LeaseClaims>, sign: SignBytes): Promise<string> => {
    const issuedAt = new Date('2026-11-23T12:00:00Z');
    const enclaveNonce = new Uint8Array(32);
    const claims = {
      leaseId: 'l-1',
      releaseDigest,
      keyConfigDigest,
      enclaveNonce,
      ttlSeconds: 60,
      issuedAt,
      ...change,
    };
    return toBase64Url(await signLease({ claims, sign }));
  };
}

/** Three brokers that share a key, of which two open the model, and an enclave whose release names them. */
export interface SharedEnclave {
  readonly enclave: ForgedEnclave;
  /** A lease of the broker of one share; `by` has another broker sign it. */
  readonly lease: (
    bundle: AttestationBundle,
    share: number,
    change?: Partial<LeaseClaims>,
    by?: number,
  ) => Promise<{ share: number; token: string }>;
}

export async function sharedEnclave(): Promise<SharedEnclave> {
  const brokers = [await makeBrokerKey(), await makeBrokerKey(), await makeBrokerKey()];
  const set = { setId: '00'.repeat(16), threshold: 2 };
  const shares = brokers.map((_, at) => ({ index: at + 1, digest: `${at}${at}`.repeat(32) }));
  const { brokerKey: _, ...common } = makeRelease();
  const named = brokers.map(({ key }, at) => ({ index: at + 1, brokerKey: key }));
  const release = makePackage({
    manifest: JSON.stringify(makeManifest({ keyShares: { ...set, rootDigest: 'ab'.repeat(32), shares } })),
    release: JSON.stringify({ ...common, keyShares: { ...set, brokers: named } }),
  });
  const enclave = await forgeEnclave({ release });
  const leaseFor = await leasesFor(enclave);
  return {
    enclave,
    lease: async (bundle, share, change = {}, by = share) => {
      const broker = brokers[by - 1];
      if (broker === undefined) throw new TypeError('no such broker');
      return { share, token: await leaseFor(await digestOf(bundle), change, broker.sign) };
    },
  };
}

export async function leasedEnclave(): Promise<LeasedEnclave> {
  const broker = await makeBrokerKey();
  const enclave = await forgeEnclave({ release: packageOf({ brokerKey: broker.key }) });
  const leaseFor = await leasesFor(enclave);
  return {
    enclave,
    lease: async (bundle, change = {}, sign = broker.sign) => ({
      token: await leaseFor(await digestOf(bundle), change, sign),
    }),
    afterRotation: async (bundle, change = {}) => {
      const receipt = await generateReceiptKey();
      const first = { keyConfig: toBase64Url(new Uint8Array(64).fill(1)), receiptKey: toBase64Url(receipt.publicKey) };
      const { sign } = change.by ?? receipt;
      const succession = await signSuccession({ keyConfigDigest: change.about ?? (await digestOf(bundle)), sign });
      return {
        token: await leaseFor(await digestOf(first), {}, broker.sign),
        first: { ...first, succession: toBase64Url(succession) },
      };
    },
  };
}
