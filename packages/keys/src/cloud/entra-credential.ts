import { open } from 'node:fs/promises';
import type { AccessToken, GetTokenOptions, TokenCredential } from '@azure/core-auth';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { readPassphraseFile } from '../passphrase.ts';
import { namesOf, networkFault } from './network-errors.ts';

/** Who this process is to Entra ID. None of it is a secret: secrets lie in files. */
export type EntraIdentity =
  | { readonly kind: 'managed-identity'; readonly clientId?: string }
  | {
      readonly kind: 'workload-identity' | 'client-secret';
      readonly tenant: string;
      readonly clientId: string;
      /** The federated token, read anew for each request; or the client's secret, which only this user may read. */
      readonly file: string;
    };

export interface EntraCredentialOptions {
  readonly identity: EntraIdentity;
  /** What tokens are for, such as `https://vault.azure.net`; one for anything else is never asked for. */
  readonly audience: string;
  /** Where tokens of the cloud are issued, such as `https://login.microsoftonline.com`. */
  readonly authority: string;
  /** Default: that of Node. */
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds since 1970. Default: the clock. */
  readonly now?: () => number;
}

const metadata = 'http://169.254.169.254/metadata/identity/oauth2/token';
const timeout = 10_000;
const maxAnswer = 128 * 1024;
const maxFederatedToken = 64 * 1024;
/** A token is replaced this long before it ends, and used for as long as that fails. */
const early = 5 * 60_000;

const answerSchema = z.object({
  token_type: z.literal('Bearer'),
  access_token: z
    .string()
    .max(65_536)
    .regex(/^[\x21-\x7e]+$/),
  // The token endpoint writes a number, the metadata service digits.
  expires_in: z.coerce.number().int().min(1).max(200_000),
});

/**
 * Tokens of Entra ID for one audience: from the metadata service of an Azure machine (managed identity), or by the client
 * credentials grant of OAuth 2.0 with a federated token (RFC 7523, workload identity) or a secret from a file. Requests
 * go to these two places only, whatever a vault's challenge says; redirects are not followed.
 * Errors of `getToken`: KEYS_CLOUD_CHALLENGE, KEYS_CLOUD_CREDENTIALS, KEYS_CLOUD_UNAVAILABLE, KEYS_CLOUD_THROTTLED,
 * KEYS_CLOUD_PROTOCOL, and those of reading the file.
 */
export class EntraCredential implements TokenCredential {
  readonly #options: EntraCredentialOptions;
  readonly #now: () => number;
  #held: AccessToken | undefined;
  #asking: Promise<AccessToken> | undefined;

  constructor(options: EntraCredentialOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  async getToken(scopes: string | string[], { claims }: GetTokenOptions = {}): Promise<AccessToken> {
    const wanted = [scopes].flat();
    if (wanted.length !== 1 || wanted[0] !== `${this.#options.audience}/.default`) {
      throw new FastnessError('KEYS_CLOUD_CHALLENGE');
    }
    // With claims the service has refused the token that is held.
    const held = claims === undefined ? this.#held : undefined;
    const left = (held?.expiresOnTimestamp ?? 0) - this.#now();
    if (held !== undefined && left > early) return held;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    try {
      return await this.#asking;
    } catch (error) {
      if (held !== undefined && left > timeout) return held;
      throw error;
    }
  }

  async #ask(): Promise<AccessToken> {
    const { url, init } = await this.#request();
    const asked = this.#now();
    const { status, text } = await this.#fetch(url, init);
    if (status !== 200) throw refusal(status, text);
    const answer = answerSchema.safeParse(parseJson(text));
    if (!answer.success) throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'No token of Entra ID.');
    const { access_token: token, expires_in: seconds } = answer.data;
    this.#held = { token, expiresOnTimestamp: asked + seconds * 1000, tokenType: 'Bearer' };
    return this.#held;
  }

  async #request(): Promise<{ url: string; init: RequestInit }> {
    const { identity, audience, authority } = this.#options;
    if (identity.kind === 'managed-identity') {
      const query = new URLSearchParams({ 'api-version': '2018-02-01', resource: audience });
      if (identity.clientId !== undefined) query.set('client_id', identity.clientId);
      return { url: `${metadata}?${query.toString()}`, init: { headers: { metadata: 'true' } } };
    }
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: identity.clientId,
      scope: `${audience}/.default`,
    });
    if (identity.kind === 'workload-identity') {
      form.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      form.set('client_assertion', await readFederatedToken(identity.file));
    } else {
      const secret = await readPassphraseFile(identity.file);
      form.set('client_secret', Buffer.from(secret).toString());
      secret.fill(0);
    }
    return { url: `${authority}/${identity.tenant}/oauth2/v2.0/token`, init: { method: 'POST', body: form } };
  }

  async #fetch(url: string, init: RequestInit): Promise<{ status: number; text: string }> {
    const { fetch = globalThis.fetch } = this.#options;
    try {
      const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeout) });
      return { status: response.status, text: await textOf(response) };
    } catch (error) {
      if (error instanceof FastnessError) throw error;
      const { name } = namesOf(error instanceof Error && error.cause instanceof Error ? error.cause : error);
      const word = /^[A-Za-z_]{1,64}$/.test(name) ? name : 'unknown';
      throw new FastnessError('KEYS_CLOUD_UNAVAILABLE', `No token of Entra ID (${word}).`);
    }
  }
}

/** The code of an answer without a token; of its text only the name that OAuth gives the error goes on. */
function refusal(status: number, text: string): FastnessError {
  const answer = z.object({ error: z.string() }).safeParse(parseJson(text));
  const name = answer.success && /^[a-z_]{1,40}$/.test(answer.data.error) ? answer.data.error : 'refused';
  if (status === 400 || status === 401 || status === 403) {
    return new FastnessError('KEYS_CLOUD_CREDENTIALS', `Entra ID: ${name}, status ${status}.`);
  }
  // The metadata service answers 404 while it starts.
  return networkFault({ name, status: status === 404 || status < 400 ? 503 : status, message: '' });
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > maxAnswer) throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'An answer of Entra ID is too long.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Clusters write it for every user of the container, so its mode is not looked at. */
async function readFederatedToken(path: string): Promise<string> {
  let text: string;
  try {
    await using file = await open(path);
    const buffer = Buffer.alloc(maxFederatedToken + 1);
    const { bytesRead } = await file.read(buffer);
    text = buffer.toString('latin1', 0, bytesRead).trim();
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw new FastnessError(missing ? 'KEYS_FILE_NOT_FOUND' : 'KEYS_IO', 'The federated token.');
  }
  if (text.length > maxFederatedToken || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) {
    throw new FastnessError('KEYS_CLOUD_CREDENTIALS', 'The file has no federated token.');
  }
  return text;
}
