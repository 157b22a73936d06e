import { FastnessError } from '@fastness/codec/errors';
import type { Context } from 'hono';
import { z } from 'zod';
import type { AuditOperation } from '../audit/facts.ts';
import type { RefusalTrail } from '../authorise.ts';
import type { BrokerContext } from '../context.ts';
import { readJsonBody, readJsonWithIntegers } from '../http/body.ts';
import { underRulesInForce } from '../lifecycle/in-force.ts';
import { remoteAddress, type BrokerApp, type BrokerEnv, type RateLimiters } from '../routes/app.ts';
import { recordingRefusal } from '../routes/refusal.ts';
import { attestationSchema, attestGuest } from './attest-guest.ts';
import { resourcePathSchema } from './facts.ts';
import { rcarVersion, type RcarOptions } from './options.ts';
import { rcarProblem, unknownPath } from './problem.ts';
import { releaseResource } from './resources.ts';
import { createSessions, sessionIdOf, setCookie } from './sessions.ts';
import { teeOfName } from './tees.ts';
import { readToken, type AttestedGuest } from './token.ts';

/** Body of `POST /kbs/v0/auth`. */
export const authSchema = z.strictObject({
  version: z.string().max(64),
  tee: z.string().max(32),
  'extra-params': z.unknown().optional(),
});

/** Build metadata says nothing about the protocol (SemVer 2.0.0, section 10). */
const versionPattern = /^([0-9.]+)(?:\+[0-9A-Za-z.-]+)?$/;

/** The endpoints of the KBS protocol (request, challenge, attestation, response), as Trustee's guest components use them. */
export function addRcarRoutes(
  app: BrokerApp,
  context: BrokerContext,
  {
    limiters,
    options,
    report,
    observe,
  }: {
    limiters: RateLimiters;
    options: RcarOptions;
    report: (error: unknown) => void;
    /** Receives every error that a guest is told. */
    observe: (error: unknown) => void;
  },
): void {
  const sessions = createSessions({ ...options, now: context.now });

  /** The guest that a request comes from: by its bearer token, or by the token of its session. */
  const guestOf = async (rules: BrokerContext, c: Context<BrokerEnv>): Promise<AttestedGuest> => {
    const authorization = c.req.header('authorization');
    if (authorization !== undefined) {
      const token = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1];
      if (token === undefined) throw new FastnessError('RCAR_TOKEN_INVALID');
      return await readToken(rules, token);
    }
    const cookies = c.req.header('cookie');
    if (cookies === undefined) throw new FastnessError('RCAR_TOKEN_MISSING');
    const { token } = sessions.find(sessionIdOf(cookies));
    if (token === undefined) throw new FastnessError('RCAR_SESSION_NOT_ATTESTED');
    return await readToken(rules, token);
  };

  const answering = async (
    c: Context<BrokerEnv>,
    operation: AuditOperation,
    limit: () => void,
    work: (trail: RefusalTrail) => Promise<Response>,
  ): Promise<Response> => {
    const trail: RefusalTrail = {};
    try {
      limit();
      return await recordingRefusal(
        context,
        () => operation,
        trail,
        () => work(trail),
      );
    } catch (error) {
      if (!(error instanceof FastnessError) || ['internal', 'unavailable'].includes(error.class)) report(error);
      observe(error);
      const answer = rcarProblem(error);
      // What is left of the request's body would be read as the next request.
      if (!c.env.incoming.complete) answer.headers.set('connection', 'close');
      return answer;
    }
  };

  app.post('/kbs/v0/auth', async (c) =>
    answering(
      c,
      'guest-attestation',
      () => limiters.challenge.take(remoteAddress(c.env)),
      async () => {
        const request = await readJsonBody(c.req.raw, authSchema, options.body.auth);
        if (versionPattern.exec(request.version)?.[1] !== rcarVersion)
          throw new FastnessError('RCAR_VERSION_UNSUPPORTED', `${rcarVersion}.`);
        const session = sessions.begin(teeOfName(request.tee));
        return c.json({ nonce: session.nonce, 'extra-params': '' }, 200, { 'set-cookie': setCookie(session) });
      },
    ),
  );

  app.post('/kbs/v0/attest', async (c) =>
    answering(
      c,
      'guest-attestation',
      () => limiters.keyRelease.takeOwn(remoteAddress(c.env)),
      async (trail) => {
        const session = sessions.find(sessionIdOf(c.req.header('cookie')));
        const request = await readJsonWithIntegers(c.req.raw, attestationSchema, options.body.attest);
        const headers = { 'set-cookie': setCookie(session) };
        // As Trustee does: whoever has the session has the token already.
        if (session.token !== undefined) return c.json({ token: session.token }, 200, headers);
        if (session.state !== 'waiting') throw new FastnessError('RCAR_SESSION_BUSY');
        limiters.keyRelease.takeShared();
        session.state = 'verifying';
        try {
          const { tokenSeconds } = options;
          const token = await attestGuest(await underRulesInForce(context), { session, request, tokenSeconds, trail });
          session.token = token;
          session.state = 'attested';
          return c.json({ token }, 200, headers);
        } finally {
          // A nonce is good for one answer.
          if (session.token === undefined) sessions.end(session);
        }
      },
    ),
  );

  app.get('/kbs/v0/resource/:repository/:type/:tag', async (c) =>
    answering(
      c,
      'resource-release',
      () => limiters.keyRelease.take(remoteAddress(c.env)),
      async (trail) => {
        const { repository, type, tag } = c.req.param();
        const path = resourcePathSchema.safeParse(`${repository}/${type}/${tag}`);
        if (!path.success || new URL(c.req.url).search !== '') throw new FastnessError('RCAR_PATH_INVALID');
        const rules = await underRulesInForce(context);
        const guest = await guestOf(rules, c);
        trail.tee = guest.tee;
        trail.simulated = false;
        trail.measurement = guest.measurement;
        trail.platform = guest.platform;
        return c.json(await releaseResource(rules, path.data, guest));
      },
    ),
  );

  app.all('/kbs/*', (c) => {
    try {
      limiters.other.take(remoteAddress(c.env));
      throw unknownPath(c.req.path);
    } catch (error) {
      observe(error);
      return rcarProblem(error);
    }
  });
}
