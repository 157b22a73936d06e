import { plainBytes, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { BrokerContext } from '../context.ts';
import type { Transparency } from '../audit/transparency.ts';
import { remoteAddress, type BrokerApp, type RateLimiters } from './app.ts';

/** Where the log is served; the part behind it is a path of c2sp.org/tlog-tiles. */
export const logPrefix = '/v1/log/';

/**
 * The log for everybody to read: checkpoint, tiles and entries, as c2sp.org/tlog-tiles serves them. Everything in it follows
 * the closed schemas of `auditFacts`; who must not see even those puts the route behind a proxy, or turns it off.
 */
export function addLogRoutes(
  app: BrokerApp,
  transparency: Transparency,
  limiters: RateLimiters,
  cosigning?: BrokerContext['cosigning'],
): void {
  app.get(`${logPrefix}*`, async (c) => {
    limiters.log.take(remoteAddress(c.env));
    const path = c.req.path.slice(logPrefix.length);
    // The cosigned one is a little older than the log; whoever asks for cosignatures needs that one.
    const cosigned = path === 'checkpoint' ? cosigning?.latest?.note : undefined;
    const bytes = cosigned === undefined ? await transparency.log.resource(path) : utf8Encode(cosigned);
    if (bytes === undefined) throw new FastnessError('BROKER_ROUTE_UNKNOWN', 'The log has no such resource.');
    const text = path === 'checkpoint';
    return c.body(plainBytes(bytes), 200, {
      'content-type': text ? 'text/plain; charset=utf-8' : 'application/octet-stream',
      // A tile never changes; whoever reads a checkpoint wants the newest.
      'cache-control': text ? 'no-store' : 'public, max-age=31536000, immutable',
    });
  });
}
