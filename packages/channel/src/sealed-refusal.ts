import type { GatewayResponse } from './seal-response.ts';

type SealRefusal = (response: GatewayResponse) => ReadableStream<Uint8Array>;

const sealers = new WeakMap<object, SealRefusal>();

/** Notes that the client whose request failed with `error` can be told so through the channel. */
export function noteRefusal(error: unknown, seal: SealRefusal): void {
  if (typeof error === 'object' && error !== null) sealers.set(error, seal);
}

/**
 * Seals the answer to a request that `Gateway.open` refused with `error` after its first chunk had opened: what is wrong with
 * the content is for the client alone (RFC 9458 section 5.2). It serves once. Undefined for errors of the channel itself, as
 * an unknown key or a replay, which are answered in the clear.
 */
export function takeRefusalSealer(error: unknown): SealRefusal | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const seal = sealers.get(error);
  sealers.delete(error);
  return seal;
}
