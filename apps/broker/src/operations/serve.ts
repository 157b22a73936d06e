import { FastnessError } from '@fastness/codec/errors';
import { sql } from 'kysely';
import { z } from 'zod';
import type { BrokerContext } from '../context.ts';
import { fixedHeaders, problemResponse } from '../http/problem.ts';
import { serveHttp, type HttpEndpoint } from '../http/server.ts';
import { asStoreError } from '../store/index.ts';
import type { BrokerMetrics } from './metrics.ts';

/** A listener for those who watch the broker, apart from the one that enclaves use. Absent: there is none. */
export const operationsSchema = z.strictObject({
  /** Plain HTTP without authentication: an address that only the monitoring reaches. */
  host: z.string().min(1).max(255).default('127.0.0.1'),
  port: z.int().min(0).max(65_535),
});
export type OperationsOptions = z.output<typeof operationsSchema>;
export type OperationsOptionsInput = z.input<typeof operationsSchema>;

/**
 * Serves `GET /metrics` (Prometheus), `/live` (the process answers) and `/ready` (it could release a key: log, database and
 * rollback protection work). Throws `BROKER_LISTEN`.
 */
export async function serveOperations(
  context: BrokerContext,
  options: { readonly listen: OperationsOptions; readonly metrics: BrokerMetrics },
): Promise<HttpEndpoint> {
  const { listen, metrics } = options;
  const json = (body: object): Response => Response.json(body, { headers: fixedHeaders });
  const answer = async (request: Request): Promise<Response> => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return problemResponse(new FastnessError('BROKER_METHOD_NOT_ALLOWED'), { allow: 'GET, HEAD' });
    const { pathname } = new URL(request.url);
    if (pathname === '/live') return json({ status: 'ok' });
    if (pathname === '/ready') {
      await requireReady(context);
      return json({ status: 'ok' });
    }
    if (pathname !== '/metrics') return problemResponse(new FastnessError('BROKER_ROUTE_UNKNOWN'));
    const ready = await requireReady(context).then(
      () => true,
      () => false,
    );
    const text = metrics.render({ ready, leasesRunning: await leasesRunning(context).catch(() => undefined) });
    return new Response(text, {
      headers: { ...fixedHeaders, 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    });
  };
  return await serveHttp({
    listen,
    limits: context.limits,
    fetch: (request) => answer(request).catch((error: unknown) => problemResponse(error)),
  });
}

async function requireReady({ audit, freshness, db }: BrokerContext): Promise<void> {
  if (audit.failed) throw new FastnessError('AUDIT_UNAVAILABLE');
  freshness?.require();
  await asStoreError(() => sql`select 1`.execute(db));
}

async function leasesRunning({ db, now }: BrokerContext): Promise<number> {
  const { running } = await asStoreError(() =>
    db
      .selectFrom('leases')
      .where('expires_at', '>', now().toISOString())
      .select((expression) => expression.fn.countAll<number | bigint | string>().as('running'))
      .executeTakeFirstOrThrow(),
  );
  return Number(running);
}
