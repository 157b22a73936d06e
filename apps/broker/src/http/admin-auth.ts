import { createHash, timingSafeEqual } from 'node:crypto';
import type { AuditFacts } from '../audit/facts.ts';

/** What a request presented in place of the administrator's token. */
export type PresentedToken =
  Extract<AuditFacts<'admin-auth-failure'>['presented'], 'nothing' | 'wrong-token' | 'wrong-scheme'> | 'right-token';

/**
 * Compares the bearer token of a request with the stored SHA-256 (hex). The comparison takes the same time for every
 * token; hashing first makes all of them equally long. A plain hash is enough because the token is random: 32 bytes, as
 * `fastness` makes it, cannot be guessed from it. Where there is no such token, every one is wrong.
 */
export function presentedToken(authorization: string | undefined, tokenSha256: string | undefined): PresentedToken {
  if (authorization === undefined) return 'nothing';
  const token = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization)?.[1];
  if (token === undefined) return 'wrong-scheme';
  if (tokenSha256 === undefined) return 'wrong-token';
  const digest = createHash('sha256').update(token, 'utf8').digest();
  return timingSafeEqual(digest, Buffer.from(tokenSha256, 'hex')) ? 'right-token' : 'wrong-token';
}

/** Whether an address is this machine's own. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(?:::ffff:)?127\.|^::1$/i.test(address);
}
