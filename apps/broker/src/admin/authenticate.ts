import { createHash } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { FastnessError } from '@fastness/codec/errors';
import type { HttpBindings } from '@hono/node-server';
import { presentedToken } from '../http/admin-auth.ts';
import type { AuditFacts } from '../audit/facts.ts';
import type { AdminIdentity } from './acting.ts';
import { openCertificateCheck } from './certificates.ts';
import { openOidcCheck } from './oidc.ts';
import type { AdministratorsOptions } from './options.ts';

type Presented = AuditFacts<'admin-auth-failure'>['presented'];

/** A failed authentication: what was presented, for the audit log, and what the client is told. */
export class AuthenticationFailure extends Error {
  readonly presented: Presented;
  override readonly cause: FastnessError;

  constructor(presented: Presented, cause: FastnessError) {
    super(cause.code);
    this.presented = presented;
    this.cause = cause;
  }
}

/** Tells administrators apart. */
export interface AdminAuthentication {
  /** PEM: authorities of client certificates, for the TLS listener; absent where certificates do not count. */
  readonly clientAuthorities?: string;
  /**
   * Who sends a request. An `Authorization` header counts alone where there is one; a client certificate counts where there
   * is none. Throws `AuthenticationFailure`.
   */
  identify(authorization: string | undefined, bindings: HttpBindings): Promise<AdminIdentity>;
}

/** Throws `BROKER_CONFIG_INVALID`, also when nothing at all would let an administrator in. */
export async function openAdminAuthentication(options: {
  /** SHA-256 (hex) of the bearer token, whose holder is an owner. Absent: there is none. */
  readonly tokenSha256?: string;
  readonly administrators?: AdministratorsOptions;
  /** Whether the broker terminates TLS itself, and sees certificates of clients. */
  readonly tls: boolean;
  readonly now: () => Date;
  readonly clock: () => number;
}): Promise<AdminAuthentication> {
  const { tokenSha256, administrators = {}, tls, now, clock } = options;
  const { certificates: certificateOptions, oidc: oidcOptions } = administrators;
  if (tokenSha256 !== undefined && !/^[0-9a-f]{64}$/.test(tokenSha256)) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'adminTokenSha256: expected 64 lower-case hex digits.');
  }
  if (tokenSha256 === undefined && certificateOptions === undefined && oidcOptions === undefined) {
    throw new FastnessError(
      'BROKER_CONFIG_INVALID',
      'Expected adminTokenSha256 or administrators: nobody could get in.',
    );
  }
  if (certificateOptions !== undefined && !tls) {
    throw new FastnessError('BROKER_CONFIG_INVALID', 'administrators.certificates needs listen.tls.');
  }
  const certificates = certificateOptions && (await openCertificateCheck(certificateOptions));
  const oidc = oidcOptions && (await openOidcCheck(oidcOptions, clock));
  return {
    ...(certificates === undefined ? {} : { clientAuthorities: certificates.authorities }),
    async identify(authorization, { incoming }) {
      const peer = incoming.socket instanceof TLSSocket ? incoming.socket.getPeerX509Certificate()?.raw : undefined;
      if (authorization === undefined && peer !== undefined && certificates !== undefined)
        return await attempt('certificate', () => certificates.identify(new Uint8Array(peer), now()));
      const presented = presentedToken(authorization, tokenSha256);
      if (presented === 'right-token') return { name: 'token', via: 'token', roles: ['owner'] };
      const token = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1];
      if (oidc !== undefined && token !== undefined && token.split('.').length === 3) {
        const thumbprint = peer && createHash('sha256').update(peer).digest('base64url');
        return await attempt('access-token', () => oidc.identify(token, now(), thumbprint));
      }
      throw new AuthenticationFailure(presented, new FastnessError('BROKER_ADMIN_UNAUTHORIZED'));
    },
  };
}

async function attempt(presented: Presented, work: () => Promise<AdminIdentity>): Promise<AdminIdentity> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FastnessError) throw new AuthenticationFailure(presented, error);
    throw error;
  }
}
