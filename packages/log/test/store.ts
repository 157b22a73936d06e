import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { fromBase64Url, fromHex } from '@fastness/codec/bytes';
import { openTileLog, type TileLog, type TileLogOptions } from '../node/index.ts';
import { verifierKeyOf } from '../src/index.ts';

// A fixed key, so that a test and the processes that it starts write the same log.
const privateKey = createPrivateKey({
  key: Buffer.from(fromHex(`302e020100300506032b657004220420${'5a'.repeat(32)}`)),
  format: 'der',
  type: 'pkcs8',
});
const publicKey = fromBase64Url(createPublicKey(privateKey).export({ format: 'jwk' }).x ?? '');
const storeKey = await verifierKeyOf({ name: 'store.example', publicKey });
export const trust = { logKeys: [storeKey] };

export async function openStore(directory: string, options: Partial<TileLogOptions> = {}): Promise<TileLog> {
  return await openTileLog({
    directory,
    key: storeKey,
    sign: async (message) => new Uint8Array(sign(null, message, privateKey)),
    ...options,
  });
}
