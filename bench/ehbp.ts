// The published client of EHBP, to compare with: only bodies are sealed, nothing is padded, and there is no receipt.
import { kemX25519, parseKeyConfigList } from '@fastness/channel';
import { toHex } from '@fastness/codec';
import type { Send } from './completions.ts';

interface Ehbp {
  readonly Identity: { fromPublicKeyHex: (hex: string) => Promise<unknown> };
  readonly Transport: new (
    identity: unknown,
    host: string,
  ) => { request: (url: string, init: RequestInit) => Promise<Response> };
}

// What is used of it is written down above; without the package a benchmark goes on without this way.
const published = 'ehbp';

/** Requests to the enclave itself at `url` under a key that was verified; undefined where the package is not installed. */
export async function ehbpSend(url: string, keyConfig: Uint8Array): Promise<Send | undefined> {
  const ehbp = await (import(published) as Promise<Ehbp>).catch(() => undefined);
  const key = parseKeyConfigList(keyConfig).find(({ kem }) => kem === kemX25519)?.publicKey;
  if (ehbp === undefined || key === undefined) return undefined;
  const transport = new ehbp.Transport(await ehbp.Identity.fromPublicKeyHex(toHex(key)), new URL(url).host);
  const headers = { 'content-type': 'application/json' };
  return async (path, body) => transport.request(new URL(path, url).href, { method: 'POST', headers, body });
}
