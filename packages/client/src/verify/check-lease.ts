import { keyConfigDigestOf, type CheckRecord } from '@fastness/attest';
import { openLease, verifySuccession } from '@fastness/channel';
import type { AttestationBundle } from '@fastness/channel/wire';
import { equalBytes, fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { VerifiedRelease } from '@fastness/model/release';
import type { ClientPolicy } from '../policy.ts';
import { passed } from './checks.ts';

/** By which the broker of the owner let these very keys serve the release. */
export interface HeldLease {
  /** By the broker's clock. */
  readonly issuedAt: Date;
  readonly ttlSeconds: number;
}

/** How far the clock of a broker may be from the client's, in milliseconds. */
const clockTolerance = 5 * 60 * 1000;

/**
 * Checks the lease that an enclave shows: signed by the broker key that the owner put into the release, for this release, for
 * these keys or for those that they succeed, and not over. A genuine enclave of the release that another broker, or nobody, gave
 * the model to has none. Absent, it is an error where the policy asks for this deployment.
 * @param options.past whether the bundle is judged as of an earlier time: then the end of the lease says nothing
 * Throws CLIENT_DEPLOYMENT_UNPROVED, CLIENT_LEASE_RELEASE, CLIENT_LEASE_KEYS, CLIENT_LEASE_TIME, CHANNEL_LEASE_MALFORMED,
 * CHANNEL_LEASE_SIGNATURE, CHANNEL_SUCCESSION_MALFORMED, CHANNEL_SUCCESSION_SIGNATURE.
 */
export async function checkLease(options: {
  readonly policy: ClientPolicy;
  readonly bundle: AttestationBundle;
  readonly release: VerifiedRelease;
  readonly keyConfigDigest: Uint8Array;
  readonly now: Date;
  readonly past: boolean;
}): Promise<{ readonly lease: HeldLease | undefined; readonly checks: readonly CheckRecord[] }> {
  const { policy, bundle, release, keyConfigDigest, now } = options;
  const code = 'CLIENT_DEPLOYMENT_UNPROVED';
  const expected = policy.deployment ?? 'the policy names no deployment';
  if (bundle.lease === undefined) {
    if (policy.deployment !== undefined) throw new FastnessError(code);
    return { lease: undefined, checks: [{ code, outcome: 'not-applicable', expected, actual: 'no lease' }] };
  }
  const { token, first } = bundle.lease;
  const { brokerKey } = release.release;
  if (brokerKey === undefined) throw new FastnessError('CLIENT_LEASE_RELEASE', 'The release names no single broker.');
  const claims = await openLease({ lease: fromBase64Url(token), brokerKey: fromBase64Url(brokerKey) });
  if (!equalBytes(claims.releaseDigest, release.releaseDigest)) throw new FastnessError('CLIENT_LEASE_RELEASE');
  if (!equalBytes(claims.keyConfigDigest, await leasedDigest(first, keyConfigDigest)))
    throw new FastnessError('CLIENT_LEASE_KEYS');
  const { issuedAt, ttlSeconds } = claims;
  const since = now.getTime() - issuedAt.getTime();
  if (!options.past && (since < -clockTolerance || since > ttlSeconds * 1000 + clockTolerance)) {
    throw new FastnessError('CLIENT_LEASE_TIME', `Of ${issuedAt.toISOString()} for ${ttlSeconds} s.`);
  }
  const found = `lease of ${issuedAt.toISOString()} for ${ttlSeconds} s${first === undefined ? '' : ', to keys that these succeed'}`;
  return { lease: { issuedAt, ttlSeconds }, checks: [passed(code, expected, found)] };
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
