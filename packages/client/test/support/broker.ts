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
import { packageOf, forgeEnclave, type ForgedEnclave } from './scenario.ts';

export type ShownLease = NonNullable<AttestationBundle['lease']>;

/** A broker that leases, and an enclave whose release names it. */
export interface LeasedEnclave {
  readonly enclave: ForgedEnclave;
  /** A lease for the keys of a bundle; `change` makes exactly one thing of it different. */
  readonly lease: (bundle: AttestationBundle, change?: Partial<LeaseClaims>, sign?: SignBytes) => Promise<ShownLease>;
  /** A lease for keys that came first, with their word for those of the bundle. */
  readonly afterRotation: (bundle: AttestationBundle, change?: Succession) => Promise<ShownLease>;
}

export interface Succession {
  /** Whom the word is about. */
  readonly about?: Uint8Array;
  /** Who gives it. */
  readonly by?: ReceiptKey;
}

export async function leasedEnclave(): Promise<LeasedEnclave> {
  const { subtle } = globalThis.crypto;
  const pair = await subtle.generateKey('Ed25519', true, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new TypeError('no key pair');
  const brokerKey = toBase64Url(new Uint8Array(await subtle.exportKey('spki', pair.publicKey)));
  const signByBroker: SignBytes = async (bytes) =>
    new Uint8Array(await subtle.sign('Ed25519', pair.privateKey, new Uint8Array(bytes)));
  const enclave = await forgeEnclave({ release: packageOf({ brokerKey }) });
  const releaseDigest = await releaseDigestOf(enclave.release.bundle);
  const digestOf = async ({ keyConfig, receiptKey }: Pick<AttestationBundle, 'keyConfig' | 'receiptKey'>) =>
    keyConfigDigestOf({ ohttpKeyConfig: fromBase64Url(keyConfig), receiptKey: fromBase64Url(receiptKey) });
  const leaseFor = async (keyConfigDigest: Uint8Array, change: Partial<LeaseClaims> = {}, sign = signByBroker) => {
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
  return {
    enclave,
    lease: async (bundle, change, sign) => ({ token: await leaseFor(await digestOf(bundle), change, sign) }),
    afterRotation: async (bundle, change = {}) => {
      const receipt = await generateReceiptKey();
      const first = { keyConfig: toBase64Url(new Uint8Array(64).fill(1)), receiptKey: toBase64Url(receipt.publicKey) };
      const { sign } = change.by ?? receipt;
      const succession = await signSuccession({ keyConfigDigest: change.about ?? (await digestOf(bundle)), sign });
      return {
        token: await leaseFor(await digestOf(first)),
        first: { ...first, succession: toBase64Url(succession) },
      };
    },
  };
}
