import { nodePrimitives } from '@fastness/channel/node';
import {
  createClient as createPortableClient,
  type ClientOptions,
  type FastnessClient,
} from '@fastness/client/portable';

// What `@fastness/client` is in Node: the same client, with Node's own cryptography where browsers have WebCrypto alone.

export * from '@fastness/client/portable';

/** Like the client of every runtime, with `primitives` of Node by default. */
export function createClient(options: ClientOptions): FastnessClient {
  return createPortableClient({ primitives: nodePrimitives, ...options });
}
