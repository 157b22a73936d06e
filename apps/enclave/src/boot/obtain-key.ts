import { FastnessError } from '@fastness/codec/errors';
import type { EnclaveConfig } from '../config.ts';
import { Lease, type Grant, type Clock, type Permission } from '../lease.ts';
import { errorFields, type Log } from '../log.ts';
import { ShareQuorum } from '../share-quorum.ts';
import { createBrokerClient } from './broker-client.ts';
import type { EnclaveKeys } from './enclave-keys.ts';
import { renewLease, requestKey, type CollectEvidence, type KeyGrant, type KeyRequestOptions } from './request-key.ts';
import type { SealedModel } from './sealed-model.ts';

/** What whoever serves under a key hears of its leases. */
interface LeaseListener {
  readonly onRenewed: (ttlSeconds: number) => void;
  readonly onTrouble: (error: unknown) => void;
}

/** A model's key, and what it takes to go on using it. */
export interface ObtainedKey {
  /** The caller wipes it. */
  readonly root: Uint8Array;
  /** The evidence that a broker accepted. */
  readonly evidence: KeyGrant['evidence'];
  /** What the broker said with it; of several the middle of their times, and the log of one. */
  grants(): readonly Pick<Grant, 'issuedAt' | 'logProof'>[];
  /** To be called once, at once: the leases run already. */
  hold(listener: LeaseListener): Permission;
}

export interface ObtainKeyOptions {
  readonly config: Pick<EnclaveConfig, 'brokerUrl' | 'brokerUrls'>;
  readonly sealed: SealedModel;
  readonly collect: CollectEvidence;
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Told what keeps the key from coming while others of several brokers are still asked. */
  readonly onTrouble: (error: FastnessError) => void;
}

/**
 * Every broker that the release names and the configuration has an address of, as it is to be asked.
 * Throws ENCLAVE_CONFIG when the addresses are not those of such a release, or too few.
 */
function keyRequests({ config, sealed, collect, clock, fetch, signal }: ObtainKeyOptions): KeyRequestOptions[] {
  const { brokers, release, releaseDigest } = sealed;
  const { keyShares } = release;
  if (keyShares === undefined && config.brokerUrl === undefined) {
    throw new FastnessError('ENCLAVE_CONFIG', '/brokerUrl: this model has one broker, and no address of it is given.');
  }
  const requests = brokers.flatMap(({ share, brokerKey, logKeys }): KeyRequestOptions[] => {
    const url = share === undefined ? config.brokerUrl : config.brokerUrls?.[share];
    if (url === undefined) return [];
    const broker = createBrokerClient({ url, fetch });
    const keyShare =
      share === undefined || keyShares === undefined ? undefined : { setId: keyShares.setId, index: share };
    return [{ broker, collect, releaseDigest, brokerKey, logKeys, keyShare, clock, signal }];
  });
  if (keyShares !== undefined && requests.length < keyShares.threshold) {
    throw new FastnessError(
      'ENCLAVE_CONFIG',
      `/brokerUrls: addresses of ${requests.length} brokers; ${keyShares.threshold} have to give their share.`,
    );
  }
  return requests;
}

/**
 * Asks for the key: the one broker, or as many of several as it takes. Throws what `requestKey` throws, or what
 * `ShareQuorum.joined` rejects with.
 */
export async function obtainKey(options: ObtainKeyOptions, keys: EnclaveKeys): Promise<ObtainedKey> {
  const requests = keyRequests(options);
  const [only] = requests;
  if (only !== undefined && only.keyShare === undefined) return obtainWhole(only, keys);
  return obtainShares(options, requests, keys);
}

async function obtainWhole(request: KeyRequestOptions, keys: EnclaveKeys): Promise<ObtainedKey> {
  const grant = await requestKey(request, keys);
  return {
    root: grant.root,
    evidence: grant.evidence,
    grants: () => [grant],
    hold: (listener) =>
      new Lease({
        grant,
        clock: request.clock,
        renew: (leaseId) => renewLease(request, keys.public, leaseId),
        onRenewed: ({ ttlSeconds }) => listener.onRenewed(ttlSeconds),
        onTrouble: (error) => listener.onTrouble(error),
      }),
  };
}

async function obtainShares(
  { sealed, signal, log, onTrouble }: ObtainKeyOptions,
  requests: readonly KeyRequestOptions[],
  keys: EnclaveKeys,
): Promise<ObtainedKey> {
  let listener: LeaseListener | undefined;
  const quorum = new ShareQuorum({
    requests: requests.flatMap((request) =>
      request.keyShare === undefined ? [] : [{ ...request, keyShare: request.keyShare }],
    ),
    manifest: sealed.manifest,
    keys,
    signal,
    onShare: (share) => log('info', 'share-received', { share }),
    onLapsed: (share) => log('warn', 'share-lapsed', { share }),
    onTrouble: (share, error, final) => {
      log('warn', final ? 'share-refused' : 'share-withheld', { share, ...errorFields(error) });
      // Once it serves, what one broker does not give is no trouble of the enclave's.
      if (listener === undefined && error instanceof FastnessError) onTrouble(error);
    },
    onRenewed: (_, { ttlSeconds }) => listener?.onRenewed(ttlSeconds),
  });
  try {
    const { root, evidence } = await quorum.joined();
    return {
      root,
      evidence,
      grants() {
        const { logProof } = quorum;
        return [{ issuedAt: quorum.now(), ...(logProof === undefined ? {} : { logProof }) }];
      },
      hold(given) {
        listener = given;
        return quorum;
      },
    };
  } catch (error) {
    quorum.end();
    throw error;
  }
}
