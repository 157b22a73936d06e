import { nodePrimitives } from '@fastness/channel/node';
import {
  createClient as createPortableClient,
  type ClientOptions as PortableClientOptions,
  type FastnessClient,
} from '@fastness/client/portable';
import { directTls } from './direct-tls.ts';

// What `@fastness/client` is in Node: the same client, with Node's own cryptography where browsers have WebCrypto alone.

export * from '@fastness/client/portable';
export { directTls } from './direct-tls.ts';

export interface ClientOptions extends PortableClientOptions {
  /**
   * Whether `url` is the enclave's own address with TLS (its configuration's `tls`), and nothing in between may end that: the
   * evidence then has to be bound to the TLS connection (RFC 9266), and all connections to the key on it. A proxy or a relay
   * that ends TLS is refused with `CLIENT_TLS_EXPORTER`, `CLIENT_TLS_UNBOUND` or `CLIENT_TLS_KEY`. Default: false.
   */
  readonly directTls?: boolean;
}

/** Like the client of every runtime, with `primitives` of Node by default. */
export function createClient({ directTls: direct = false, ...options }: ClientOptions): FastnessClient {
  // Last, so that a member left undefined cannot take the binding away.
  return createPortableClient({ primitives: nodePrimitives, ...options, ...(direct ? { direct: directTls() } : {}) });
}
