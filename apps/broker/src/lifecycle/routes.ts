import { z } from 'zod';
import { requireRole } from '../admin/acting.ts';
import { wrappingKeyRoles } from '../admin/roles.ts';
import type { BrokerContext } from '../context.ts';
import { readJsonBody } from '../http/body.ts';
import { refuseWithoutQuorum } from '../quorum/decide.ts';
import { previewRevocation, revocationSchema } from '../register.ts';
import type { BrokerApp } from '../routes/app.ts';
import type { RecordingAdmin } from '../routes/recording.ts';
import { asStoreError } from '../store/index.ts';
import { commitRecorded } from '../context.ts';
import { changePolicy, policyChangeSchema, type PolicyInForce } from './change-policy.ts';
import { cancelDestruction, checkDestruction, prepareDestruction, setKeyEnabled } from './destruction.ts';
import { refreshGovernance, underRulesInForce } from './in-force.ts';
import { raiseMinimum } from './minimum.ts';
import { acceptRewrapped, rewrapSchema } from './rewrap.ts';
import { rotateWrappingKey } from './rotation.ts';
import { listWrappingKeys } from './wrapping-keys.ts';

const keyId = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/);

/** Body of `POST /v1/admin/wrapping-keys`: one change of one wrapping key. */
export const wrappingKeyChangeSchema = z.discriminatedUnion('change', [
  z.strictObject({ change: z.literal('rotate'), keyId }),
  z.strictObject({ change: z.literal('minimum-version'), keyId, minimumVersion: z.int().min(1) }),
  z.strictObject({ change: z.literal('disable'), keyId }),
  z.strictObject({ change: z.literal('enable'), keyId }),
  z.strictObject({ change: z.literal('schedule-destruction'), keyId, delaySeconds: z.int().min(1) }),
  z.strictObject({ change: z.literal('cancel-destruction'), keyId }),
]);
export type WrappingKeyChange = z.infer<typeof wrappingKeyChangeSchema>;

/** Answer to `POST /v1/admin/wrapping-keys`; what is absent did not change. */
export const wrappingKeyChangedSchema = z.strictObject({
  keyId,
  version: z.int().positive().exactOptional(),
  rewrapped: z.int().nonnegative().exactOptional(),
  minimumVersion: z.int().positive().exactOptional(),
  state: z.enum(['enabled', 'disabled', 'destruction-scheduled', 'destroying', 'destroyed']).exactOptional(),
  destroyAt: z.iso.datetime().exactOptional(),
  runningLeases: z.int().nonnegative().exactOptional(),
});
export type WrappingKeyChanged = z.infer<typeof wrappingKeyChangedSchema>;

/** Answer to `GET /v1/admin/wrapping-keys`: keys that were rotated, disabled or given a minimum; others are as made. */
export const wrappingKeysSchema = z.strictObject({
  keys: z.array(
    z.strictObject({
      keyId,
      minimumVersion: z.int().positive(),
      state: z.string(),
      destroyAt: z.string().nullable(),
      rotatedAt: z.string().nullable(),
    }),
  ),
});

/** Body of `POST /v1/admin/revocations/preview`. */
export const previewSchema = revocationSchema.pick({ kind: true, value: true });

/** Routes of administrators for keys and policy. They stand behind the authentication of all admin routes. */
export function addLifecycleRoutes(app: BrokerApp, context: BrokerContext, recording: RecordingAdmin): void {
  const limit = context.limits.body.admin;

  app.put('/v1/admin/wrapped-keys', async (c) =>
    c.json(
      await recording('rewrap', async (trail) => {
        const request = await readJsonBody(c.req.raw, rewrapSchema, limit);
        trail.releaseDigest = request.releaseDigest;
        return await acceptRewrapped(context, request);
      }),
    ),
  );

  app.get('/v1/admin/wrapping-keys', async (c) => {
    const keys = await asStoreError(() => listWrappingKeys(context.db));
    return c.json({
      keys: keys.map((key) => ({
        keyId: key.key_id,
        minimumVersion: key.minimum_version,
        state: key.state,
        destroyAt: key.destroy_at,
        rotatedAt: key.rotated_at,
      })),
    });
  });

  app.post('/v1/admin/wrapping-keys', async (c) =>
    c.json(
      await recording('wrapping-key', async () => {
        const request = await readJsonBody(c.req.raw, wrappingKeyChangeSchema, limit);
        requireRole(wrappingKeyRoles[request.change]);
        return await changeKey(context, request);
      }),
    ),
  );

  app.get('/v1/admin/policy', async (c) => {
    await refreshGovernance(context);
    const { policy, governance } = context;
    const generation = governance?.policyGeneration ?? 0;
    return c.json({ generation, digest: policy.digest, policy: policy.policy } satisfies PolicyInForce);
  });

  app.put('/v1/admin/policy', async (c) =>
    c.json(
      await recording('policy-change', async () =>
        changePolicy(context, (await readJsonBody(c.req.raw, policyChangeSchema, limit)).policy),
      ),
    ),
  );

  app.post('/v1/admin/revocations/preview', async (c) => {
    await refreshGovernance(context);
    return c.json(await previewRevocation(context, await readJsonBody(c.req.raw, previewSchema, limit)));
  });
}

async function changeKey(context: BrokerContext, request: WrappingKeyChange): Promise<WrappingKeyChanged> {
  const { keyId: id, change } = request;
  if (change === 'rotate') return await rotateWrappingKey(context, id);
  if (change === 'minimum-version') return await raiseMinimum(context, id, request.minimumVersion);
  if (change === 'disable' || change === 'enable') return await setKeyEnabled(context, id, change === 'enable');
  if (change === 'cancel-destruction') return await cancelDestruction(context, id);
  const rules = await underRulesInForce(context);
  refuseWithoutQuorum(rules, 'key-destruction');
  await checkDestruction(rules, id, request.delaySeconds);
  return await commitRecorded(rules, prepareDestruction(rules, id, request.delaySeconds));
}
