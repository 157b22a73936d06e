import type { Certificate, Crl, KeyHolder } from '@fastness/codec/x509';
import { anyOf, type Checklist } from '../../checks.ts';
import { fingerprintsOf, sha256Hex } from '../../digest.ts';
import type { Jws } from '../../jws/compact.ts';
import type { Jwk } from '../../jws/key-set.ts';
import type { VerificationMeans } from '../../means.ts';
import type { TokenTrustAnchor } from '../../trust/tokens.ts';
import { requireChain } from './chain.ts';
import { requireUnrevoked } from './revocation.ts';
import type { IssuerPins, TokenTee } from './service.ts';
import type { TokenSigner } from './stages.ts';

/** A key that may verify a token of this issuer. */
export interface TrustedKey {
  readonly holder: KeyHolder;
  readonly signer: TokenSigner;
}

/** What makes keys trusted: pins of the policy where it has any for the issuer, otherwise the anchors for the service. */
export interface SignerTrust {
  readonly tee: TokenTee;
  readonly pins: IssuerPins;
  readonly anchors: readonly TokenTrustAnchor[];
  readonly keys: readonly Jwk[];
  readonly lists: readonly Crl[];
  readonly now: Date;
  readonly means: VerificationMeans;
}

/**
 * Finds the key of a token and establishes that it is trusted: it is pinned itself, or a pinned authority stands in the chain
 * above it. The key comes from the token's own `x5c`, or by key id from a key set that was sent along; where it comes from
 * says nothing. A pinned key counts whatever dates its certificate has, as it is the pin that says how long.
 */
export async function requireSigner(jws: Jws, trust: SignerTrust, checks: Checklist): Promise<TrustedKey> {
  const { holder, chain } = findKey(jws, trust.keys, checks);
  const { keys, authorities } = pinned(trust);
  const spkiSha256 = await sha256Hex(holder.spki);
  const digests = await Promise.all(chain.map(async (each) => (await fingerprintsOf(each)).spki));
  const direct = keys.has(spkiSha256);
  const place = digests.findIndex((digest, index) => index > 0 && authorities.has(digest));
  const wanted = [...keys, ...authorities];
  checks.require('TOKEN_KEY_NOT_PINNED', direct || place > 0, {
    expected: wanted.length === 0 ? 'a pin, and there is none' : anyOf(wanted),
    actual: [spkiSha256, ...digests.slice(1)].join(' below '),
  });
  if (!direct) {
    const path = chain.slice(0, place + 1);
    await requireChain(path, trust, checks);
    await requireUnrevoked(path, trust, checks);
  }
  return { holder, signer: { spkiSha256, trustedBy: direct ? 'pinned-key' : 'pinned-authority' } };
}

function findKey(
  jws: Jws,
  keys: readonly Jwk[],
  checks: Checklist,
): { readonly holder: KeyHolder; readonly chain: readonly Certificate[] } {
  const [leaf] = jws.certificates;
  if (leaf !== undefined) return { holder: leaf, chain: jws.certificates };
  const key = keys.find(({ keyId }) => keyId === jws.keyId);
  const fits = key !== undefined && (key.algorithm === undefined || key.algorithm === jws.algorithm);
  checks.require('TOKEN_KEY_UNKNOWN', fits, {
    expected: `a key with id ${jws.keyId?.slice(0, 96) ?? '(none)'} for ${jws.algorithm}`,
    actual: key === undefined ? `${keys.length} other keys` : `a key for ${key.algorithm ?? 'anything'}`,
  });
  return { holder: key.holder, chain: key.certificates };
}

function pinned({ tee, pins, anchors }: SignerTrust): { keys: ReadonlySet<string>; authorities: ReadonlySet<string> } {
  const { signingKeys, authorities } = pins;
  if (signingKeys !== undefined || authorities !== undefined)
    return { keys: new Set(signingKeys), authorities: new Set(authorities) };
  const own = anchors.filter((anchor) => anchor.tee === tee);
  const of = (wanted: TokenTrustAnchor['kind']) =>
    new Set(own.filter(({ kind }) => kind === wanted).map(({ spkiSha256 }) => spkiSha256));
  return { keys: of('key'), authorities: of('authority') };
}
