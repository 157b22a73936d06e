import { createServer, type Server } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { Provider } from 'oidc-provider';

/** A running OpenID provider, and the key that it signs with. */
export interface Issuer extends AsyncDisposable {
  readonly url: string;
  readonly jwksUri: string;
  /** How often its keys were asked for. */
  readonly keyRequests: () => number;
  /** An access token by the client credentials grant. */
  token(clientId: string): Promise<string>;
  /** A token that the provider did not issue, signed with its key. */
  forge(payload: JWTPayload, header?: { typ?: string; kid?: string; alg?: string }, key?: CryptoKey): Promise<string>;
}

export const brokerAudience = 'https://broker.example.com';
const secret = 'a secret that only tests know, of some length';

/** Starts `oidc-provider` on a free port of this machine: JWT access tokens for the broker, groups by client. */
export async function startIssuer(clients: Readonly<Record<string, readonly string[]>>): Promise<Issuer> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid: 'issuer-1', alg: 'ES256', use: 'sig' };
  let handle: ReturnType<Provider['callback']> | undefined;
  let keyRequests = 0;
  const server: Server = createServer((request, response) => {
    if (request.url === '/jwks') keyRequests += 1;
    void handle?.(request, response);
  });
  const url = await listening(server);
  const provider = new Provider(url, {
    clients: Object.keys(clients).map((clientId) => ({
      client_id: clientId,
      client_secret: secret,
      grant_types: ['client_credentials'],
      id_token_signed_response_alg: 'ES256',
      redirect_uris: [],
      response_types: [],
    })),
    jwks: { keys: [jwk] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => brokerAudience,
        getResourceServerInfo: () => ({
          scope: '',
          audience: brokerAudience,
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    extraTokenClaims: (_context, token) => ({ groups: [...(clients[token.clientId ?? ''] ?? [])] }),
  });
  handle = provider.callback();
  return {
    url,
    jwksUri: `${url}/jwks`,
    keyRequests: () => keyRequests,
    async token(clientId) {
      const answer = await fetch(`${url}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${clientId}:${encodeURIComponent(secret)}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource: brokerAudience }),
      });
      const body: unknown = await answer.json();
      if (typeof body === 'object' && body !== null && 'access_token' in body && typeof body.access_token === 'string')
        return body.access_token;
      throw new Error(`The issuer answered ${JSON.stringify(body)}.`);
    },
    async forge(payload, header = {}, key = privateKey) {
      return await new SignJWT(payload)
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'issuer-1', ...header })
        .sign(key);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Starts a server on a free port of this machine. */
export async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no address');
  return `http://127.0.0.1:${address.port}`;
}
