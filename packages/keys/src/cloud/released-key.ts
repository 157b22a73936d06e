import { createDecipheriv, privateDecrypt, verify, X509Certificate, type KeyObject } from 'node:crypto';
import { fromBase64Url, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/** How the vault wraps: RSA-OAEP with this hash for a fresh AES-256 key, which wraps the released key (RFC 5649). */
const releaseAlgorithms = Object.freeze({
  RSA_AES_KEY_WRAP_256: 'sha256',
  RSA_AES_KEY_WRAP_384: 'sha384',
} as const);

export type ReleaseAlgorithm = keyof typeof releaseAlgorithms;

export interface OpenReleasedKeyOptions {
  /** What the vault answered, a compact JWS. */
  readonly token: string;
  /** Without a slash at its end. */
  readonly vaultUrl: string;
  /** The key's name in the vault. */
  readonly name: string;
  /** Its version, 32 hexadecimal digits. Absent: any version. */
  readonly version?: string;
  /** What was sent with the request; another one is a replay. */
  readonly nonce: string;
  readonly algorithm: ReleaseAlgorithm;
  /** RSA; its public half was in the attestation. */
  readonly privateKey: KeyObject;
  /** Certificates of the authorities that may vouch for the vault's host name, DER. */
  readonly anchors: readonly Uint8Array[];
  readonly now: Date;
}

export interface ReleasedKey {
  /** The vault's full name of it, with the version. */
  readonly kid: string;
  /** For instance oct-HSM, RSA-HSM, EC-HSM. */
  readonly keyType: string;
  /** Raw for a symmetric key, PKCS #8 for others. The caller wipes it. */
  readonly key: Uint8Array;
}

const headerSchema = z.looseObject({
  alg: z.literal('RS256'),
  x5c: z.array(z.base64().max(8192)).min(1).max(5),
  crit: z.never().optional(),
});
const payloadSchema = z.looseObject({
  request: z.looseObject({ enc: z.string(), nonce: z.string(), kid: z.string().optional() }),
  response: z.looseObject({
    key: z.looseObject({ key: z.looseObject({ kid: z.string(), kty: z.string().max(32), key_hsm: z.string() }) }),
  }),
});
const keyHsmSchema = z.looseObject({ ciphertext: z.string() });
const maxToken = 65_536;

/**
 * Verifies and opens the answer of Azure's secure key release: the signature (RS256) under a certificate of the vault's
 * host name that leads to one of `anchors`, then that it answers this request for this key, then the key itself
 * (RSA-OAEP and AES key wrap with padding, as PKCS #11's CKM_RSA_AES_KEY_WRAP).
 *
 * Revocation of the certificates is not looked at. That the key was released only to what the policy asks for is the
 * vault's doing; nothing in the answer proves it.
 * Errors: KEYS_RELEASE_TOKEN, KEYS_RELEASE_REPLAY, KEYS_RELEASE_OPEN.
 */
export function openReleasedKey(options: OpenReleasedKeyOptions): ReleasedKey {
  const { token, vaultUrl, name, version, nonce, algorithm, privateKey } = options;
  const { request, response } = readToken(token, options);
  const { kid, kty: keyType, key_hsm: keyHsm } = response.key.key;
  const prefix = `${vaultUrl}/keys/${name}/`;
  const found = kid.startsWith(prefix) ? kid.slice(prefix.length) : '';
  if (!/^[0-9a-f]{32}$/.test(found) || (version !== undefined && found !== version)) {
    throw new FastnessError('KEYS_RELEASE_REPLAY', 'It is another key.');
  }
  if (request.kid !== undefined && request.kid !== kid) throw new FastnessError('KEYS_RELEASE_REPLAY', 'Its key ids.');
  if (request.nonce !== nonce) throw new FastnessError('KEYS_RELEASE_REPLAY', 'Its nonce is another one.');
  if (request.enc !== algorithm) throw new FastnessError('KEYS_RELEASE_REPLAY', 'It is wrapped in another way.');
  const ciphertext = decode(parse(keyHsmSchema, decode(keyHsm)).ciphertext);
  return { kid, keyType, key: unwrap(ciphertext, privateKey, releaseAlgorithms[algorithm]) };
}

function readToken(token: string, { vaultUrl, anchors, now }: OpenReleasedKeyOptions): z.infer<typeof payloadSchema> {
  if (token.length > maxToken) throw refused(`It has ${token.length} characters.`);
  const [header, payload, signature, ...rest] = token.split('.');
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw refused('It is no JWS.');
  }
  const { x5c } = parse(headerSchema, decode(header));
  const leaf = verifyChain(x5c, { host: new URL(vaultUrl).hostname, anchors, now });
  if (leaf.publicKey.asymmetricKeyType !== 'rsa') throw refused('The key of the certificate is not RSA.');
  if (!verify('sha256', utf8Encode(`${header}.${payload}`), leaf.publicKey, decode(signature))) {
    throw refused('Its signature.');
  }
  return parse(payloadSchema, decode(payload));
}

/** The chain as it was sent, leaf first; its end is an anchor or signed by one. */
function verifyChain(
  x5c: readonly string[],
  { host, anchors, now }: { readonly host: string; readonly anchors: readonly Uint8Array[]; readonly now: Date },
): X509Certificate {
  const chain = x5c.map((text) => certificateOf(Buffer.from(text, 'base64')));
  const roots = anchors.map(certificateOf);
  const [leaf] = chain;
  const last = chain.at(-1);
  if (leaf === undefined || last === undefined) throw refused('It has no certificate.');
  for (const certificate of chain) requireTime(certificate, now);
  for (const [index, issuer] of chain.slice(1).entries()) {
    const issued = chain[index];
    if (issued === undefined || !isIssuedBy(issued, issuer)) throw refused('Its certificates are no chain.');
  }
  const anchor = roots.find((root) => root.raw.equals(last.raw) || isIssuedBy(last, root));
  if (anchor === undefined) throw refused('Its certificates lead to none of the anchors.');
  requireTime(anchor, now);
  if (leaf.ca && chain.length > 1) throw refused('Its certificate is one of an authority.');
  if (leaf.checkHost(host, { subject: 'never', partialWildcards: false }) === undefined) {
    throw refused('Its certificate is not for the host of the vault.');
  }
  return leaf;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function requireTime(certificate: X509Certificate, now: Date): void {
  if (!(certificate.validFromDate <= now && now <= certificate.validToDate)) {
    throw refused('A certificate is not valid at this time.');
  }
}

function unwrap(ciphertext: Uint8Array, privateKey: KeyObject, oaepHash: string): Uint8Array {
  const opened = new FastnessError('KEYS_RELEASE_OPEN');
  const bytes = (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'rsa' || bytes < 256) throw opened;
  if (ciphertext.length < bytes + 16) throw opened;
  try {
    const kek = privateDecrypt({ key: privateKey, oaepHash }, ciphertext.subarray(0, bytes));
    try {
      const iv = Buffer.from('a65959a6', 'hex');
      const decipher = createDecipheriv('id-aes256-wrap-pad', kek, iv);
      const key = decipher.update(ciphertext.subarray(bytes));
      decipher.final();
      const copy = new Uint8Array(key);
      key.fill(0);
      return copy;
    } finally {
      kek.fill(0);
    }
  } catch {
    // One error for both halves; the reason of OpenSSL stays here.
    throw opened;
  }
}

function certificateOf(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch {
    throw refused('A certificate is not well formed.');
  }
}

function decode(text: string): Uint8Array {
  try {
    return fromBase64Url(text);
  } catch {
    throw refused('A part is not base64url.');
  }
}

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array): T {
  let value: unknown;
  try {
    value = JSON.parse(utf8Decode(bytes));
  } catch {
    throw refused('A part is no JSON.');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refused('A part lacks what it needs.');
  return parsed.data;
}

function refused(detail: string): FastnessError {
  return new FastnessError('KEYS_RELEASE_TOKEN', detail);
}
