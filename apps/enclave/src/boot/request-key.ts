import { cmwToJson, evidenceToJson, type Cmw, type CmwCollection, type SessionBinding } from '@fastness/attest';
import {
  hpkeOpen,
  keyReleaseAad,
  keyReleaseInfo,
  sealedKeyFromJson,
  shareReleaseAad,
  shareReleaseInfo,
  verifyLease,
} from '@fastness/channel';
import type { KeyReleaseRequest, KeyReleaseResponse } from '@fastness/channel/wire';
import { fromBase64Url, toBase64Url, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { MachineEvidence } from '@fastness/evidence';
import type { Clock, Grant } from '../lease.ts';
import type { BrokerClient } from './broker-client.ts';
import { checkLogged } from './check-logged.ts';
import type { EnclaveKeys, PublicKeys } from './enclave-keys.ts';

/** Evidence of this machine, processor and devices, bound to a session. */
export type CollectEvidence = (session: SessionBinding) => Promise<MachineEvidence>;

export interface KeyRequestOptions {
  readonly broker: BrokerClient;
  readonly collect: CollectEvidence;
  readonly releaseDigest: Uint8Array;
  /** SubjectPublicKeyInfo DER out of release.json: whoever signs leases. */
  readonly brokerKey: Uint8Array;
  /** Out of release.json: the logs, one of which has to have every key release and renewal. Undefined: none has to. */
  readonly logKeys?: readonly string[] | undefined;
  /** The share of the key that this broker has. Undefined: it has the whole key. */
  readonly keyShare?: { readonly setId: string; readonly index: number } | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface ShareGrant extends Grant {
  /** Not compared with the manifest yet; the caller wipes it. */
  readonly share: Uint8Array;
  readonly evidence: KeyGrant['evidence'];
}

export interface KeyGrant extends Grant {
  /** The model's root key; the caller wipes it. */
  readonly root: Uint8Array;
  /** The evidence that the broker accepted. */
  readonly evidence: Cmw | CmwCollection;
}

/**
 * Attests to the broker and receives the model's root key, sealed to the key that was attested, with a lease.
 * Throws the broker's refusal, ENCLAVE_BROKER_*, LOG_*, CHANNEL_LEASE_*, CHANNEL_SEALED_KEY, and what the collector throws.
 */
export async function requestKey(options: KeyRequestOptions, keys: EnclaveKeys): Promise<KeyGrant> {
  const { releaseDigest } = options;
  const { response, enclaveNonce, evidence, grant } = await exchange(options, keys.public, undefined);
  if (response.sealedRoot === undefined) throw new FastnessError('ENCLAVE_BROKER_ANSWER', 'It holds no key.');
  const root = await hpkeOpen({
    ...sealedKeyFromJson(response.sealedRoot),
    keys: keys.gateway,
    info: keyReleaseInfo,
    aad: keyReleaseAad({ releaseDigest, keyConfigDigest: keys.public.digest, enclaveNonce }),
  });
  return { ...grant, root, evidence };
}

/**
 * As `requestKey`, for one broker's share of the root key. Throws ENCLAVE_SHARE_MISSING as well.
 */
export async function requestShare(
  options: KeyRequestOptions & Required<Pick<KeyRequestOptions, 'keyShare'>>,
  keys: EnclaveKeys,
): Promise<ShareGrant> {
  const { releaseDigest, keyShare } = options;
  const { response, enclaveNonce, evidence, grant } = await exchange(options, keys.public, undefined);
  if (keyShare === undefined || response.sealedShare?.index !== keyShare.index) {
    throw new FastnessError('ENCLAVE_SHARE_MISSING', `Share ${keyShare?.index}.`);
  }
  const binding = { releaseDigest, keyConfigDigest: keys.public.digest, enclaveNonce };
  const share = await hpkeOpen({
    ...sealedKeyFromJson(response.sealedShare),
    keys: keys.gateway,
    info: shareReleaseInfo,
    aad: shareReleaseAad({ ...binding, ...keyShare }),
  });
  return { ...grant, share, evidence };
}

/**
 * Attests anew to keep a lease. No key comes with it. `keys` are those the lease was granted to: the broker knows the
 * enclave by them, also after the gateway's own keys were replaced.
 */
export async function renewLease(options: KeyRequestOptions, keys: PublicKeys, leaseId: string): Promise<Grant> {
  return (await exchange(options, keys, leaseId)).grant;
}

async function exchange(
  options: KeyRequestOptions,
  keys: PublicKeys,
  leaseId: string | undefined,
): Promise<{ response: KeyReleaseResponse; enclaveNonce: Uint8Array; evidence: Cmw | CmwCollection; grant: Grant }> {
  const { broker, releaseDigest, clock, signal } = options;
  const challenge = await broker.challenge(signal);
  const enclaveNonce = globalThis.crypto.getRandomValues(new Uint8Array(32));
  const { evidence, endorsements } = await options.collect({
    purpose: 'key-release',
    nonce: fromBase64Url(challenge.nonce),
    keyConfigDigest: keys.digest,
    releaseDigest,
  });
  const request: KeyReleaseRequest = {
    nonce: challenge.nonce,
    enclaveNonce: toBase64Url(enclaveNonce),
    evidence: evidenceToJson(evidence),
    endorsements: endorsements.map(cmwToJson),
    keyConfig: toBase64Url(keys.keyConfig),
    receiptKey: toBase64Url(keys.receiptKey),
    releaseDigest: toHex(releaseDigest),
    ...(leaseId === undefined ? {} : { leaseId }),
  };
  // The lease counts from here: whatever delays the answer shortens it.
  const sentAt = clock();
  const response = await broker.releaseKey(request, signal);
  const receivedAt = clock();
  const claims = await verifyLease({
    lease: fromBase64Url(response.lease),
    brokerKey: options.brokerKey,
    expected: {
      releaseDigest,
      keyConfigDigest: keys.digest,
      enclaveNonce,
      ...(leaseId === undefined ? {} : { leaseId }),
    },
  });
  if (options.logKeys !== undefined) {
    await checkLogged({
      proof: response.logProof,
      logKeys: options.logKeys,
      renewal: leaseId !== undefined,
      releaseDigest: toHex(releaseDigest),
      leaseId: claims.leaseId,
      keyConfigDigest: toHex(keys.digest),
      keyShare: options.keyShare,
    });
  }
  const { ttlSeconds, issuedAt } = claims;
  return {
    response,
    enclaveNonce,
    evidence,
    grant: {
      leaseId: claims.leaseId,
      token: response.lease,
      ttlSeconds,
      issuedAt,
      sentAt,
      receivedAt,
      // One that was checked, and no other.
      ...(options.logKeys === undefined || response.logProof === undefined ? {} : { logProof: response.logProof }),
    },
  };
}
