import { createHash } from 'node:crypto';
import { concatBytes, fromBase64Url, fromHex, u32be, utf8Encode } from '@fastness/codec/bytes';

/**
 * The challenge of one key for one proposal, 32 bytes: SHA-256 over a label and, each with its length before it, the
 * digest of the proposal's text, the member, the key and a nonce of its own. An approval for one proposal or by one key
 * can therefore stand for no other. Approvers compute it themselves from the text they read.
 */
export function challengeOf(options: {
  /** SHA-256 of the proposal's canonical text, hex. */
  readonly proposalDigest: string;
  readonly member: string;
  /** SHA-256 of the public key, hex. */
  readonly keyId: string;
  /** Base64url. */
  readonly nonce: string;
}): Uint8Array {
  const { proposalDigest, member, keyId, nonce } = options;
  const parts = [fromHex(proposalDigest), utf8Encode(member), fromHex(keyId), fromBase64Url(nonce)];
  const framed = concatBytes(
    utf8Encode('fastness/quorum-challenge/v1\n'),
    ...parts.flatMap((part) => [u32be(part.length), part]),
  );
  return new Uint8Array(createHash('sha256').update(framed).digest());
}
