import type { HttpBindings } from '@hono/node-server';
import { FastnessError } from '@fastness/codec/errors';
import { Hono } from 'hono';
import type { AdminAuthentication } from '../admin/authenticate.ts';
import { guardAdminRoutes } from '../admin/middleware.ts';
import { adminMethods } from '../admin/roles.ts';
import type { BrokerContext } from '../context.ts';
import { isLoopback } from '../http/admin-auth.ts';
import { fixedHeaders, problemResponse, publicError } from '../http/problem.ts';
import { createRateLimiter, type BrokerLimits, type RateLimiter } from '../limits.ts';
import type { BrokerMetrics } from '../operations/metrics.ts';
import { describeRoutes } from '../operations/openapi.ts';
import { routeName } from '../operations/routes.ts';
import { addResourceAdminRoutes } from '../rcar/admin-routes.ts';
import type { RcarOptions } from '../rcar/options.ts';
import { addRcarRoutes } from '../rcar/routes.ts';
import { addAdminRoutes } from './admin.ts';
import { addKeyRoutes } from './keys.ts';
import { addLogRoutes, logPrefix } from './log.ts';

export interface BrokerEnv {
  Bindings: HttpBindings;
}

export type BrokerApp = Hono<BrokerEnv>;
export type RateLimiters = Readonly<Record<keyof BrokerLimits['rates'], RateLimiter>>;
type AddressRate = Exclude<keyof BrokerLimits['rates'], 'renewal' | 'adminIdentity'>;

/** Every route and its methods, for `BROKER_METHOD_NOT_ALLOWED`. */
const methods: ReadonlyMap<string, string> = new Map([
  ['/health', 'GET, HEAD'],
  ['/openapi.json', 'GET, HEAD'],
  ['/v1/challenges', 'POST'],
  ['/v1/key-releases', 'POST'],
  ...adminMethods(),
]);

/** Routes that there are only with the Trustee-compatible endpoints. */
const resourceRoute = '/v1/admin/resources';

/** The HTTP face of a broker. `report` receives errors that nobody foresaw; they are not told to the client. */
export function createApp(options: {
  context: BrokerContext;
  authentication: AdminAuthentication;
  report: (error: unknown) => void;
  /** Absent: no Trustee-compatible endpoints. */
  rcar?: RcarOptions;
  /** Absent: nothing is counted. */
  metrics?: BrokerMetrics;
}): BrokerApp {
  const { context, authentication, report, rcar, metrics } = options;
  const observe = (error: unknown): void => {
    metrics?.refusal(publicError(error).code);
  };
  const allowed = new Map([...methods].filter(([path]) => rcar !== undefined || path !== resourceRoute));
  const counted = [...allowed.keys(), logPrefix];
  const { rates, maxAddresses } = context.limits;
  const clock = (): number => performance.now();
  const limiter = (name: AddressRate): RateLimiter => createRateLimiter({ ...rates[name], maxAddresses, clock });
  const limiters: RateLimiters = {
    challenge: limiter('challenge'),
    leaseHolderChallenge: limiter('leaseHolderChallenge'),
    keyRelease: limiter('keyRelease'),
    // Asked with a lease and an address in place of an address.
    renewal: createRateLimiter({
      perAddress: rates.renewal.perLease,
      global: rates.renewal.global,
      maxAddresses,
      clock,
    }),
    admin: limiter('admin'),
    // Asked with who it is in place of an address.
    adminIdentity: createRateLimiter({
      perAddress: rates.adminIdentity,
      global: rates.admin.global,
      maxAddresses,
      clock,
    }),
    adminFailure: limiter('adminFailure'),
    log: limiter('log'),
    other: limiter('other'),
  };

  const app: BrokerApp = new Hono<BrokerEnv>();
  app.use(async (c, next) => {
    await next();
    metrics?.request(routeName(c.req.path, counted), c.res.status);
    for (const [name, value] of Object.entries(fixedHeaders)) if (!c.res.headers.has(name)) c.header(name, value);
  });
  app.get('/health', (c) => {
    limiters.other.take(remoteAddress(c.env));
    // Without an audit log nothing can be released, so the broker is not healthy.
    if (context.audit.failed) throw new FastnessError('AUDIT_UNAVAILABLE');
    context.freshness?.require();
    return c.json({ status: 'ok' });
  });
  let description: string | undefined;
  app.get('/openapi.json', (c) => {
    limiters.other.take(remoteAddress(c.env));
    description ??= JSON.stringify(describeRoutes());
    return c.body(description, 200, { 'content-type': 'application/json' });
  });
  addKeyRoutes(app, context, limiters);
  guardAdminRoutes(app, context, { limiters, authentication, secureTransport });
  addAdminRoutes(app, context);
  if (context.transparency !== undefined) addLogRoutes(app, context.transparency, limiters, context.cosigning);
  if (rcar !== undefined) {
    addResourceAdminRoutes(app, context);
    addRcarRoutes(app, context, { limiters, options: rcar, report, observe });
  }
  app.notFound((c) => {
    limiters.other.take(remoteAddress(c.env));
    const allow = c.req.path.startsWith(logPrefix) ? 'GET, HEAD' : allowed.get(c.req.path);
    const error = new FastnessError(allow === undefined ? 'BROKER_ROUTE_UNKNOWN' : 'BROKER_METHOD_NOT_ALLOWED');
    observe(error);
    return problemResponse(error, allow === undefined ? {} : { allow });
  });
  app.onError((error, c) => {
    observe(error);
    if (!(error instanceof FastnessError) || error.class === 'internal' || error.class === 'unavailable') report(error);
    // What is left of the request's body would be read as the next request.
    return problemResponse(error, c.env.incoming.complete ? {} : { connection: 'close' });
  });
  return app;
}

/** The address of the other end of the connection. Headers that claim another are not believed. */
export function remoteAddress({ incoming }: HttpBindings): string {
  return incoming.socket.remoteAddress ?? '';
}

/** Whether a token may be sent over this connection: it is encrypted, or it does not leave the machine. */
function secureTransport({ incoming }: HttpBindings): boolean {
  return (
    ('encrypted' in incoming.socket && incoming.socket.encrypted === true) || isLoopback(incoming.socket.remoteAddress)
  );
}
