import { FastnessError } from '@fastness/codec/errors';
import type { HttpBindings } from '@hono/node-server';
import { matchedRoutes } from 'hono/route';
import type { BrokerContext } from '../context.ts';
import { recordingRefusal } from '../routes/refusal.ts';
import { remoteAddress, type BrokerApp, type RateLimiters } from '../routes/app.ts';
import { actingAs, requireRole } from './acting.ts';
import { AuthenticationFailure, type AdminAuthentication } from './authenticate.ts';
import { adminRouteName, adminRouteOf } from './roles.ts';

/**
 * Stands before every route of administrators, also before "no such route": who it is, how much he asks for, and whether
 * his roles reach. Throws `BROKER_ADMIN_TRANSPORT`, `BROKER_ADMIN_UNAUTHORIZED`, `BROKER_ADMIN_CERTIFICATE`,
 * `BROKER_ADMIN_ACCESS_TOKEN`, `BROKER_ADMIN_IDENTITY_UNKNOWN`, `BROKER_RATE_LIMIT`, `BROKER_ADMIN_FORBIDDEN`.
 */
export function guardAdminRoutes(
  app: BrokerApp,
  context: BrokerContext,
  options: {
    readonly limiters: RateLimiters;
    readonly authentication: AdminAuthentication;
    readonly secureTransport: (bindings: HttpBindings) => boolean;
  },
): void {
  const { limiters, authentication, secureTransport } = options;

  app.use('/v1/admin/*', async (c, next) => {
    const address = remoteAddress(c.env);
    if (!secureTransport(c.env)) {
      limiters.adminFailure.take(address);
      throw new FastnessError('BROKER_ADMIN_TRANSPORT');
    }
    let identity;
    try {
      identity = await authentication.identify(c.req.header('authorization'), c.env);
    } catch (error) {
      if (!(error instanceof AuthenticationFailure)) throw error;
      limiters.adminFailure.take(address);
      const { presented, cause } = error;
      await context.noise.adminAuthFailure({
        route: adminRouteName(c.req.path),
        presented,
        ...(cause.code === 'BROKER_ADMIN_UNAUTHORIZED' ? {} : { code: cause.code }),
      });
      throw cause;
    }
    limiters.admin.take(address);
    const { name, via, subject } = identity;
    limiters.adminIdentity.takeOwn([via, name, subject ?? ''].join('/'));
    await actingAs(identity, async () => {
      // The route that the router found, so that the two cannot read a path differently. None: there is no such route.
      for (const { method, path } of matchedRoutes(c)) {
        if (method === 'ALL') continue;
        const row = adminRouteOf(method, path);
        await recordingRefusal(
          context,
          () => 'administration',
          { route: adminRouteName(row?.path ?? '') },
          async () => requireRole(row?.roles ?? [], identity),
        );
      }
      await next();
    });
  });
}
