/** As much of `oidc-provider` as the tests use; the package brings no types. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export class Provider {
    constructor(
      issuer: string,
      configuration: {
        readonly clients: readonly Readonly<Record<string, unknown>>[];
        readonly jwks: { readonly keys: readonly object[] };
        readonly features: Readonly<Record<string, unknown>>;
        readonly extraTokenClaims: (context: unknown, token: { readonly clientId?: string }) => object;
      },
    );
    callback(): (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  }
}
