import { chunkedForm } from './ohttp/chunked.ts';
import type { OhttpForm } from './ohttp/form.ts';
import { plainForm } from './ohttp/plain.ts';

/**
 * How requests and responses travel. `chunked-ohttp` is the channel's own. `ohttp` (RFC 9458) is for relays and clients that
 * know no other: an adapter that a gateway answers, and a client speaks, only where it was told to by name.
 */
export type OhttpProtocol = 'chunked-ohttp' | 'ohttp';

/** Those, and `ehbp`: the Encrypted HTTP Body Protocol, which seals bodies alone. A gateway answers it; no client here speaks it. */
export type ChannelProtocol = OhttpProtocol | 'ehbp';

export const defaultProtocol = 'chunked-ohttp' satisfies ChannelProtocol;

/** Protocols that are not the channel's own. */
export const adapterProtocols = Object.freeze(['ohttp', 'ehbp'] as const satisfies readonly ChannelProtocol[]);

const forms: Readonly<Record<OhttpProtocol, OhttpForm>> = Object.freeze({
  'chunked-ohttp': chunkedForm,
  ohttp: plainForm,
});

export function formOf(protocol: OhttpProtocol): OhttpForm {
  return forms[protocol];
}

/** Media types of the outer request and response. */
export function outerTypesOf(protocol: OhttpProtocol): { readonly request: string; readonly response: string } {
  const { requestType, responseType } = forms[protocol];
  return { request: requestType, response: responseType };
}

/** The protocol that the media type of an outer request names; undefined for another type. */
export function protocolOfType(type: string | null): OhttpProtocol | undefined {
  if (type === chunkedForm.requestType) return 'chunked-ohttp';
  return type === plainForm.requestType ? 'ohttp' : undefined;
}

const weaknesses: Readonly<Record<ChannelProtocol, readonly string[]>> = Object.freeze({
  'chunked-ohttp': Object.freeze([]),
  ohttp: Object.freeze([
    'Nothing streams: an answer is there as a whole or not at all, however long it takes.',
    'Its length is visible in one figure, rounded up, and the time it took in another.',
    'The enclave holds a request in memory before it can tell it from noise.',
  ]),
  ehbp: Object.freeze([
    'Method, path, status and media type are readable on the way, and can be changed there.',
    'No final mark: an answer that was cut between two frames looks whole.',
    'No receipt: nothing proves later what was answered.',
    'X25519 alone: whoever records it can open it with a quantum computer.',
    'Nothing is padded: lengths of requests are visible, and those of answers without a traffic profile.',
    'The enclave holds a request in memory before it can tell it from noise.',
  ]),
});

/** What a protocol does worse than the channel's own, in sentences for whoever reads a verdict. Empty for the channel's own. */
export function weaknessesOf(protocol: ChannelProtocol): readonly string[] {
  return weaknesses[protocol];
}
