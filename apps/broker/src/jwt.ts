import { toBase64Url, utf8Encode } from '@fastness/codec/bytes';
import type { BrokerSigner } from './context.ts';

/**
 * Signs claims as a compact JWS (RFC 7515) with EdDSA (RFC 8037), the signature coming from the key store: JOSE libraries
 * want the private key itself, which the key store does not give away.
 */
export async function signJwt(signer: BrokerSigner, type: string, claims: object): Promise<string> {
  const header = { alg: 'EdDSA', typ: type, kid: signer.keyId };
  const input = [header, claims].map((part) => toBase64Url(utf8Encode(JSON.stringify(part)))).join('.');
  return `${input}.${toBase64Url(await signer.sign(utf8Encode(input)))}`;
}
