/** Limits of the inner API. */
export interface ApiLimits {
  /** Bytes of a request body. */
  readonly bodyBytes: number;
  readonly messages: number;
  /** Texts in one request to embed or classify. */
  readonly inputs: number;
  /** Most tokens of one answer, and how many are made when a request does not say. */
  readonly maxTokens: number;
  readonly requestSeconds: number;
  /** Tokens gathered into one frame of a stream. */
  readonly tokensPerFrame: number;
  readonly frameDelayMs: number;
}
