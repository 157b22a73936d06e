/** Limits of a binary HTTP message; all sizes in bytes. */
export interface MessageLimits {
  /** Method, scheme, authority and path together. */
  readonly control: number;
  /** Number of lines in one header or trailer section. */
  readonly fields: number;
  /** Names and values of one header or trailer section together. */
  readonly fieldBytes: number;
  /** Chunks of content in a request of indeterminate length: each costs the reader some microseconds, whatever it holds. */
  readonly contentChunks: number;
}

export const defaultMessageLimits: MessageLimits = Object.freeze({
  control: 8192,
  fields: 128,
  fieldBytes: 32_768,
  contentChunks: 65_536,
});
