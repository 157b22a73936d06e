import { keyReleaseRequestSchema, type Challenge } from '@fastness/channel/wire';
import { toBase64Url } from '@fastness/codec/bytes';
import { authorise, type RefusalTrail } from '../authorise.ts';
import type { BrokerContext } from '../context.ts';
import { readEmptyBody, readJsonBody } from '../http/body.ts';
import { releaseKey } from '../release-key.ts';
import { asStoreError, issueChallenge } from '../store/index.ts';
import { remoteAddress, type BrokerApp, type RateLimiters } from './app.ts';
import { recordingRefusal } from './refusal.ts';

/** The routes an enclave uses: a challenge, then a key or a renewed lease for its answer. */
export function addKeyRoutes(app: BrokerApp, context: BrokerContext, limiters: RateLimiters): void {
  const { limits } = context;

  app.post('/v1/challenges', async (c) => {
    limiters.challenge.take(remoteAddress(c.env));
    await readEmptyBody(c.req.raw, limits.body.challenge);
    const { nonce, expiresAt } = await asStoreError(() =>
      issueChallenge(context.db, {
        now: context.now(),
        ttlSeconds: limits.challengeTtlSeconds,
        maxOutstanding: limits.maxChallenges,
      }),
    );
    return c.json({ nonce: toBase64Url(nonce), expiresAt: expiresAt.toISOString() } satisfies Challenge);
  });

  app.post('/v1/key-releases', async (c) => {
    limiters.keyRelease.take(remoteAddress(c.env));
    const trail: RefusalTrail = {};
    let operation: 'key-release' | 'lease-renewal' = 'key-release';
    const response = await recordingRefusal(
      context,
      () => operation,
      trail,
      async () => {
        const request = await readJsonBody(c.req.raw, keyReleaseRequestSchema, limits.body.keyRelease);
        if (request.leaseId !== undefined) operation = 'lease-renewal';
        return await releaseKey(context, await authorise(context, request, trail));
      },
    );
    return c.json(response);
  });
}
