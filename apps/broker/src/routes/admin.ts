import { z } from 'zod';
import { actingAdministrator } from '../admin/acting.ts';
import { adminRoles } from '../admin/roles.ts';
import { auditEntrySchema } from '../audit/entry.ts';
import type { BrokerContext } from '../context.ts';
import { checkShape, readJsonBody } from '../http/body.ts';
import { refreshGovernance, underRulesInForce } from '../lifecycle/in-force.ts';
import { addLifecycleRoutes } from '../lifecycle/routes.ts';
import { refuseWithoutQuorum } from '../quorum/decide.ts';
import { addQuorumRoutes } from '../quorum/routes.ts';
import { registerRelease, revocationSchema, revoke } from '../register.ts';
import { registrationSchema } from '../registration.ts';
import { asStoreError, listLeases, type StoredLease } from '../store/index.ts';
import type { BrokerApp } from './app.ts';
import { recordingAdmin } from './recording.ts';

const limit = z.coerce.number().int().min(1).max(1000).default(100);
export const auditQuery = z.strictObject({ after: z.coerce.number().int().min(0).default(0), limit });
export const leaseQuery = z.strictObject({
  after: z
    .string()
    .regex(/^[0-9a-f]{0,32}$/)
    .default(''),
  limit,
  state: z.enum(['running', 'all']).default('running'),
});

/** Answer to `GET /v1/admin/audit?after=SEQ&limit=N`: entries after `after`, oldest first, and where the log ends. */
export const auditPageSchema = z.strictObject({
  entries: z.array(auditEntrySchema),
  head: z.strictObject({ seq: z.int().nonnegative(), hash: z.string() }),
});
export type AuditPage = z.infer<typeof auditPageSchema>;

/** Answer to `GET /v1/admin/leases?after=LEASE_ID&limit=N&state=running|all`: leases in the order of their ids. */
export const leasePageSchema = z.strictObject({
  leases: z.array(
    z.strictObject({
      leaseId: z.string(),
      releaseDigest: z.string(),
      keyConfigDigest: z.string(),
      tee: z.string(),
      simulated: z.boolean(),
      measurement: z.string(),
      /** Kind and value: `chip-id:HEX`, `csp-id:NAME`, `ppid:HEX`, `instance-id:ID`, ... */
      platform: z.string(),
      issuedAt: z.iso.datetime(),
      renewedAt: z.iso.datetime(),
      expiresAt: z.iso.datetime(),
      renewals: z.int().nonnegative(),
    }),
  ),
});
export type LeasePage = z.infer<typeof leasePageSchema>;

/** Answer to `GET /v1/admin/identity`: who the broker takes the caller for. */
export const adminIdentitySchema = z.strictObject({
  name: z.string(),
  via: z.enum(['token', 'certificate', 'oidc']),
  roles: z.array(z.enum(adminRoles)),
});
type AdminIdentityAnswer = z.infer<typeof adminIdentitySchema>;

/** The routes of administrators. Who may use which is in `adminRoutes`, and `guardAdminRoutes` sees to it. */
export function addAdminRoutes(app: BrokerApp, context: BrokerContext): void {
  const recording = recordingAdmin(context);
  addLifecycleRoutes(app, context, recording);
  addQuorumRoutes(app, context, recording);

  app.get('/v1/admin/identity', (c) => {
    const { name, via, roles } = actingAdministrator();
    return c.json({ name, via, roles: [...roles] } satisfies AdminIdentityAnswer);
  });

  app.put('/v1/admin/releases', async (c) => {
    const registered = await recording('release-registration', async (trail) => {
      const request = await readJsonBody(c.req.raw, registrationSchema, context.limits.body.admin);
      const rules = await underRulesInForce(context);
      refuseWithoutQuorum(rules, 'release');
      return await registerRelease(rules, request, trail);
    });
    return c.json(registered);
  });

  app.post('/v1/admin/revocations', async (c) => {
    const revocation = await recording('revocation', async () => {
      await refreshGovernance(context);
      return await revoke(context, await readJsonBody(c.req.raw, revocationSchema, context.limits.body.admin));
    });
    return c.json(revocation);
  });

  app.get('/v1/admin/audit', async (c) => {
    const query = checkShape(auditQuery, c.req.query());
    const entries = await context.audit.read(query);
    return c.json({ entries, head: context.audit.head } satisfies AuditPage);
  });

  app.get('/v1/admin/leases', async (c) => {
    const { after, limit: most, state } = checkShape(leaseQuery, c.req.query());
    const leases = await asStoreError(() =>
      listLeases(context.db, { after, limit: most, running: state === 'running', now: context.now() }),
    );
    return c.json({ leases: leases.map(leaseRecord) } satisfies LeasePage);
  });
}

function leaseRecord(lease: StoredLease): LeasePage['leases'][number] {
  return {
    leaseId: lease.lease_id,
    releaseDigest: lease.release_digest,
    keyConfigDigest: lease.key_config_digest,
    tee: lease.tee,
    simulated: lease.simulated === 1,
    measurement: lease.measurement,
    platform: lease.platform,
    issuedAt: lease.issued_at,
    renewedAt: lease.renewed_at,
    expiresAt: lease.expires_at,
    renewals: lease.renewals,
  };
}
