import { keyReleaseRequestSchema, type Challenge, type KeyReleaseRequest } from '@fastness/channel/wire';
import { toBase64Url } from '@fastness/codec/bytes';
import { authorise, type RefusalTrail } from '../authorise.ts';
import type { BrokerContext } from '../context.ts';
import { readEmptyBody, readJsonBody } from '../http/body.ts';
import { underRulesInForce } from '../lifecycle/in-force.ts';
import { createRecentAddresses, leaseFrom } from '../limits.ts';
import { releaseKey } from '../release-key.ts';
import { asStoreError, isRunningLease, issueChallenge } from '../store/index.ts';
import { remoteAddress, type BrokerApp, type RateLimiters } from './app.ts';
import { recordingRefusal } from './refusal.ts';

/** The routes an enclave uses: a challenge, then a key or a renewed lease for its answer. */
export function addKeyRoutes(app: BrokerApp, context: BrokerContext, limiters: RateLimiters): void {
  const { limits, now } = context;
  const holders = createRecentAddresses({
    seconds: context.policy.policy.lease.ttlSeconds,
    maxAddresses: limits.maxAddresses,
    now,
  });
  /**
   * Whether a request is paid for by the lease that it names, so that strangers cannot starve renewals. Numbers of leases are
   * in the log for everybody to read, so the address counts too: one that holds a lease, and what it spends is its own.
   */
  const paidByLease = async ({ leaseId }: KeyReleaseRequest, address: string): Promise<boolean> =>
    leaseId !== undefined &&
    holders.has(address) &&
    (await asStoreError(() => isRunningLease(context.db, leaseId, now()))) &&
    limiters.renewal.tryTake(leaseFrom(leaseId, address));

  app.post('/v1/challenges', async (c) => {
    const address = remoteAddress(c.env);
    const reserved = holders.has(address) && limiters.leaseHolderChallenge.tryTake(address);
    if (!reserved) limiters.challenge.take(address);
    await readEmptyBody(c.req.raw, limits.body.challenge);
    const { nonce, expiresAt } = await asStoreError(() =>
      issueChallenge(context.db, {
        now: now(),
        ttlSeconds: limits.challengeTtlSeconds,
        maxOutstanding: limits.maxChallenges,
      }),
    );
    return c.json({ nonce: toBase64Url(nonce), expiresAt: expiresAt.toISOString() } satisfies Challenge);
  });

  app.post('/v1/key-releases', async (c) => {
    const address = remoteAddress(c.env);
    limiters.keyRelease.takeOwn(address);
    const trail: RefusalTrail = {};
    const request = await recordingRefusal(
      context,
      () => 'key-release',
      trail,
      () => readJsonBody(c.req.raw, keyReleaseRequestSchema, limits.body.keyRelease),
    );
    // Before anything is verified: that is what costs.
    if (!(await paidByLease(request, address))) limiters.keyRelease.takeShared();
    const response = await recordingRefusal(
      context,
      () => (request.leaseId === undefined ? 'key-release' : 'lease-renewal'),
      trail,
      async () => {
        const rules = await underRulesInForce(context);
        return await releaseKey(rules, await authorise(rules, request, trail));
      },
    );
    holders.add(address);
    return c.json(response);
  });
}
