import { generateKeyPairSync, sign } from 'node:crypto';
import type { ReceiptKey } from '@fastness/channel';
import { fromBase64Url } from '@fastness/codec/bytes';

/** Like `generateReceiptKey`, without a change of thread for each signature. Only `sign` has the private key. */
export function generateNodeReceiptKey(): ReceiptKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const { x } = publicKey.export({ format: 'jwk' });
  return {
    publicKey: fromBase64Url(x ?? ''),
    sign: async (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
  };
}
