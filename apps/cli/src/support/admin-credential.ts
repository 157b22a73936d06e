import { resolve } from 'node:path';
import { utf8Decode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readPrivateFile } from '@fastness/keys';
import { readText, type Home, type HomeConfig } from './home.ts';

const fileLimitBytes = 64 * 1024;

/** What proves to the broker who an administrator is: a bearer token, or a client certificate with its key. */
export interface AdminCredential {
  readonly token?: string;
  /** PEM. `ca` are the authorities of the broker's own certificate. */
  readonly tls?: { readonly cert?: string; readonly key?: string; readonly ca?: string };
}

/**
 * The credential that a home is configured for, read anew at each call: access tokens are short-lived. Files with a key or
 * a token must be readable by their owner only. Throws `KEYS_PERMISSIONS`, `KEYS_FILE_NOT_FOUND`, `CLI_USAGE`.
 */
export async function adminCredential(home: Home, admin: HomeConfig['admin']): Promise<AdminCredential> {
  const at = (path: string): string => resolve(home.path, path);
  if (admin === undefined) return { token: (await readText(home.adminTokenFile)).trim() };
  const { authorityPath } = admin;
  const ca = authorityPath === undefined ? {} : { ca: await readText(at(authorityPath)) };
  if ('certificatePath' in admin) {
    const cert = await readText(at(admin.certificatePath));
    return { tls: { ...ca, cert, key: await readSecret(at(admin.privateKeyPath)) } };
  }
  if ('tokenPath' in admin) return { token: await readToken(at(admin.tokenPath)), tls: ca };
  return { token: (await readText(home.adminTokenFile)).trim(), tls: ca };
}

async function readToken(path: string): Promise<string> {
  const token = (await readSecret(path)).trim();
  // Nothing that could end the header, and nothing of the token in the message.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new FastnessError('CLI_USAGE', `${path} does not hold a token.`);
  return token;
}

async function readSecret(path: string): Promise<string> {
  const bytes = await readPrivateFile(path, { maxBytes: fileLimitBytes, tooLarge: 'CLI_USAGE' });
  try {
    return utf8Decode(bytes);
  } finally {
    bytes.fill(0);
  }
}
