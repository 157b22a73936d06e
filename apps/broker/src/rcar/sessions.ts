import { randomBytes } from 'node:crypto';
import { toBase64, toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { RcarTee } from './tees.ts';

const sessionCookie = 'kbs-session-id';

/** One exchange with a guest, in the memory of this broker only. */
export interface RcarSession {
  readonly id: string;
  readonly tee: RcarTee;
  /** 32 random bytes in base64, as the guest got it. */
  readonly nonce: string;
  readonly expiresAt: Date;
  state: 'waiting' | 'verifying' | 'attested';
  token?: string;
}

export interface RcarSessions {
  begin(tee: RcarTee): RcarSession;
  /** Throws `RCAR_SESSION_UNKNOWN`, `RCAR_SESSION_EXPIRED`. */
  find(id: string): RcarSession;
  end(session: RcarSession): void;
}

/** Sessions in bounded memory: past `maxSessions` the oldest is dropped, so that strangers keep nobody from beginning one. */
export function createSessions(options: {
  sessionSeconds: number;
  maxSessions: number;
  now: () => Date;
}): RcarSessions {
  const { sessionSeconds, maxSessions, now } = options;
  const sessions = new Map<string, RcarSession>();
  return {
    begin(tee) {
      const id = toHex(uuid4());
      const nonce = toBase64(new Uint8Array(randomBytes(32)));
      const expiresAt = new Date(now().getTime() + sessionSeconds * 1000);
      const session: RcarSession = { id, tee, nonce, expiresAt, state: 'waiting' };
      sessions.set(id, session);
      for (const [oldest, { expiresAt: end }] of sessions) {
        if (sessions.size <= maxSessions && end > now()) break;
        sessions.delete(oldest);
      }
      return session;
    },
    find(id) {
      const session = sessions.get(id);
      if (session === undefined) throw new FastnessError('RCAR_SESSION_UNKNOWN');
      if (session.expiresAt <= now()) {
        sessions.delete(id);
        throw new FastnessError('RCAR_SESSION_EXPIRED');
      }
      return session;
    },
    end({ id }) {
      sessions.delete(id);
    },
  };
}

function uuid4(): Uint8Array {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

/** The session id of a `Cookie` header. Throws `RCAR_SESSION_MISSING` when there is none or more than one. */
export function sessionIdOf(cookies: string | undefined): string {
  const ids = (cookies ?? '')
    .split(';')
    .map((each) => each.trim())
    .filter((each) => each.startsWith(`${sessionCookie}=`))
    .map((each) => each.slice(sessionCookie.length + 1));
  const [id] = ids;
  if (id === undefined || ids.length > 1) throw new FastnessError('RCAR_SESSION_MISSING');
  return id;
}

/** The `Set-Cookie` header, with the attributes that Trustee gives it. */
export function setCookie({ id, expiresAt }: RcarSession): string {
  return `${sessionCookie}=${id}; Expires=${expiresAt.toUTCString()}`;
}
