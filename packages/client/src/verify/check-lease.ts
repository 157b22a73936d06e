import { keyConfigDigestOf, type CheckRecord } from '@fastness/attest';
import { openLease, verifySuccession, type LeaseClaims } from '@fastness/channel';
import type { AttestationBundle } from '@fastness/channel/wire';
import { equalBytes, fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { brokersOf, type VerifiedRelease } from '@fastness/model/release';
import type { ClientPolicy } from '../policy.ts';
import { passed } from './checks.ts';

/** By which the broker of the owner let these very keys serve the release, or as many as have to agree. */
export interface HeldLease {
  /** By the broker's clock; of several leases that of the one whose end leaves too few. */
  readonly issuedAt: Date;
  readonly ttlSeconds: number;
  /** Numbers of the shares whose brokers leased, where they share the key. */
  readonly shares?: readonly number[];
}

interface ShownToken {
  readonly share: number | undefined;
  readonly token: string;
}

/** How far the clock of a broker may be from the client's, in milliseconds. */
const clockTolerance = 5 * 60 * 1000;

/**
 * Checks the lease that an enclave shows: signed by the broker key that the owner put into the release, for this release, for
 * these keys or for those that they succeed, and not over. Of a key that brokers share, as many of them as the release asks
 * for, and every lease that is shown has to hold. A genuine enclave of the release that another broker, or nobody, gave
 * the model to has none. Absent, it is an error where the policy asks for this deployment.
 * @param options.past whether the bundle is judged as of an earlier time: then the end of the lease says nothing
 * Throws CLIENT_DEPLOYMENT_UNPROVED, CLIENT_LEASE_RELEASE, CLIENT_LEASE_KEYS, CLIENT_LEASE_SHARES, CLIENT_LEASE_TIME,
 * CHANNEL_LEASE_MALFORMED, CHANNEL_LEASE_SIGNATURE, CHANNEL_SUCCESSION_MALFORMED, CHANNEL_SUCCESSION_SIGNATURE.
 */
export async function checkLease(options: {
  readonly policy: ClientPolicy;
  readonly bundle: AttestationBundle;
  readonly release: VerifiedRelease;
  readonly keyConfigDigest: Uint8Array;
  readonly now: Date;
  readonly past: boolean;
}): Promise<{ readonly lease: HeldLease | undefined; readonly checks: readonly CheckRecord[] }> {
  const { policy, bundle, release, keyConfigDigest } = options;
  const code = 'CLIENT_DEPLOYMENT_UNPROVED';
  const expected = policy.deployment ?? 'the policy names no deployment';
  if (bundle.lease === undefined) {
    if (policy.deployment !== undefined) throw new FastnessError(code);
    return { lease: undefined, checks: [{ code, outcome: 'not-applicable', expected, actual: 'no lease' }] };
  }
  const { first } = bundle.lease;
  const tokens: ShownToken[] =
    'token' in bundle.lease ? [{ share: undefined, token: bundle.lease.token }] : bundle.lease.shares;
  const threshold = release.release.keyShares?.threshold ?? 1;
  if (new Set(tokens.map(({ share }) => share)).size < tokens.length) {
    throw new FastnessError('CLIENT_LEASE_SHARES', 'One share is there twice.');
  }
  const leases: LeaseClaims[] = [];
  for (const token of tokens) leases.push(await opened(token, release));
  const leasedTo = await leasedDigest(first, keyConfigDigest);
  for (const lease of leases) {
    if (!equalBytes(lease.keyConfigDigest, leasedTo)) throw new FastnessError('CLIENT_LEASE_KEYS');
    if (!options.past) checkTime(lease, options.now);
  }
  if (leases.length < threshold) throw new FastnessError('CLIENT_LEASE_SHARES', `${leases.length} of ${threshold}.`);
  // Those that end later keep the enclave serving until this one ends.
  const deciding = leases.toSorted((one, other) => endOf(other) - endOf(one))[threshold - 1];
  if (deciding === undefined) throw new FastnessError('CLIENT_LEASE_SHARES');
  const { issuedAt, ttlSeconds } = deciding;
  const shares = tokens.flatMap(({ share }) => share ?? []);
  const by = shares.length === 0 ? '' : `, ${threshold} needed, of shares ${shares.join(', ')}`;
  const found = `lease of ${issuedAt.toISOString()} for ${ttlSeconds} s${by}${first === undefined ? '' : ', to keys that these succeed'}`;
  const lease = { issuedAt, ttlSeconds, ...(shares.length === 0 ? {} : { shares }) };
  return { lease, checks: [passed(code, expected, found)] };
}

/** Throws CLIENT_LEASE_RELEASE, CHANNEL_LEASE_MALFORMED, CHANNEL_LEASE_SIGNATURE. */
async function opened({ share, token }: ShownToken, release: VerifiedRelease): Promise<LeaseClaims> {
  const broker = brokersOf(release.release).find((each) => each.share === share);
  if (broker === undefined) {
    const named = share === undefined ? 'no single broker' : `no broker of share ${share}`;
    throw new FastnessError('CLIENT_LEASE_RELEASE', `The release names ${named}.`);
  }
  const claims = await openLease({ lease: fromBase64Url(token), brokerKey: broker.brokerKey });
  if (!equalBytes(claims.releaseDigest, release.releaseDigest)) throw new FastnessError('CLIENT_LEASE_RELEASE');
  return claims;
}

/** Throws CLIENT_LEASE_TIME. */
function checkTime({ issuedAt, ttlSeconds }: LeaseClaims, now: Date): void {
  const since = now.getTime() - issuedAt.getTime();
  if (since < -clockTolerance || since > ttlSeconds * 1000 + clockTolerance) {
    throw new FastnessError('CLIENT_LEASE_TIME', `Of ${issuedAt.toISOString()} for ${ttlSeconds} s.`);
  }
}

function endOf({ issuedAt, ttlSeconds }: LeaseClaims): number {
  return issuedAt.getTime() + ttlSeconds * 1000;
}

/** The digest that the lease must be for: of the keys in use, or of the first ones, whose owner vouches for those in use. */
async function leasedDigest(
  first: NonNullable<AttestationBundle['lease']>['first'],
  keyConfigDigest: Uint8Array,
): Promise<Uint8Array> {
  if (first === undefined) return keyConfigDigest;
  const receiptKey = fromBase64Url(first.receiptKey);
  const succeeded = await verifySuccession({ succession: fromBase64Url(first.succession), receiptKey });
  if (!equalBytes(succeeded, keyConfigDigest)) throw new FastnessError('CLIENT_LEASE_KEYS', 'Of other successors.');
  return keyConfigDigestOf({ ohttpKeyConfig: fromBase64Url(first.keyConfig), receiptKey });
}
