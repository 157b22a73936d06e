/** The answer of a service: status 200 and a body within its limit. */
export interface HttpAnswer {
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** A `fetch` as browsers and Node have it; injected, so that tests and proxies can take its place. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;
