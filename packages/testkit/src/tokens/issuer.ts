import { toBase64, toHex, utf8Encode } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { extensionOids, type SignatureAlgorithm } from '@fastness/codec/x509';
import { forgeCertificate, type ForgeCertificateOptions } from '../x509/certificate.ts';
import { forgeCrl, type ForgeCrlOptions } from '../x509/crl.ts';
import { basicConstraints, keyUsage } from '../x509/extensions.ts';
import { sharedKeys, type ForgedKeyKind, type ForgedKeys } from '../x509/keys.ts';
import type { ForgedJwsAlgorithm } from './jws.ts';

/** The levels of the chain above a token, from its root. */
export const tokenLevels = Object.freeze(['root', 'intermediate', 'leaf'] as const);
export type TokenLevel = (typeof tokenLevels)[number];

export interface ForgeTokenIssuerOptions {
  /** The time around which everything is valid. */
  readonly now: Date;
  /** What the leaf signs tokens with. */
  readonly algorithm: ForgedJwsAlgorithm;
  readonly keyId?: string;
  /** Replaces what certificates are forged with; use it to make exactly one thing wrong. */
  readonly levels?: Readonly<Partial<Record<TokenLevel, Partial<ForgeCertificateOptions>>>>;
}

/** A forged attestation service: a key that signs tokens and a chain above it. Worthless unless a test pins it. */
export interface ForgedTokenIssuer {
  readonly algorithm: ForgedJwsAlgorithm;
  readonly keyId: string;
  readonly keys: Readonly<Record<TokenLevel, ForgedKeys>>;
  /** DER. */
  readonly certificates: Readonly<Record<TokenLevel, Uint8Array>>;
  /** Leaf, intermediate, root; DER, as `x5c` has them. */
  readonly x5c: readonly Uint8Array[];
  /** SHA-256 of the SubjectPublicKeyInfo, hex; of the root and intermediate that belong there, whatever `levels` put there. */
  readonly pins: Readonly<Record<TokenLevel, string>>;
  /** The key as a member of a JWK set, without its chain. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

const kinds: Readonly<Record<ForgedJwsAlgorithm, ForgedKeyKind>> = {
  RS256: 'rsa-2048',
  PS256: 'rsa-2048',
  PS384: 'rsa-2048',
  ES256: 'p-256',
  ES384: 'p-384',
  EdDSA: 'ed25519',
  Ed25519: 'ed25519',
};
const DAY = 86_400_000;
/** Serial numbers of the certificates. */
export const tokenSerials: Readonly<Record<TokenLevel, number>> = Object.freeze({ root: 1, intermediate: 2, leaf: 3 });
const days: Readonly<Record<TokenLevel, number>> = { root: 3650, intermediate: 1095, leaf: 60 };

/** Forges root, intermediate and the key that signs tokens. */
export async function forgeTokenIssuer(options: ForgeTokenIssuerOptions): Promise<ForgedTokenIssuer> {
  const { now, algorithm, keyId = 'forged-key-1', levels = {} } = options;
  const kind = kinds[algorithm];
  const authorityKind: ForgedKeyKind = kind === 'ed25519' ? 'p-256' : kind;
  const [root, intermediate, leaf] = await Promise.all([
    sharedKeys('token root', authorityKind),
    sharedKeys('token intermediate', authorityKind),
    sharedKeys('token leaf', kind),
  ]);
  const keys: Record<TokenLevel, ForgedKeys> = { root, intermediate, leaf };
  const forge = async (level: TokenLevel, above: TokenLevel): Promise<Uint8Array> => {
    const signatureAlgorithm = signsWith(keys[above]);
    return forgeCertificate({
      subject: nameOf(level),
      keys: keys[level],
      ...(level === 'root' ? {} : { issuer: { name: nameOf(above), keys: keys[above] } }),
      serial: tokenSerials[level],
      validity: { notBefore: new Date(now.getTime() - DAY), notAfter: new Date(now.getTime() + days[level] * DAY) },
      extensions:
        level === 'leaf'
          ? [basicConstraints({ ca: false })]
          : [
              basicConstraints({ ca: true }),
              keyUsage('keyCertSign', 'cRLSign'),
              ...(level === 'intermediate' ? [crlDistributionPoint] : []),
            ],
      ...(signatureAlgorithm === undefined ? {} : { signatureAlgorithm }),
      ...levels[level],
    });
  };
  const certificates = {
    root: await forge('root', 'root'),
    intermediate: await forge('intermediate', 'root'),
    leaf: await forge('leaf', 'intermediate'),
  };
  const used = { ...keys, leaf: levels.leaf?.keys ?? leaf };
  return {
    algorithm,
    keyId,
    keys: used,
    certificates,
    x5c: [certificates.leaf, certificates.intermediate, certificates.root],
    pins: {
      root: await pinOf(root),
      intermediate: await pinOf(intermediate),
      leaf: await pinOf(used.leaf),
    },
    jwk: { ...(await publicJwk(used.leaf)), kid: keyId, use: 'sig' },
  };
}

/** A JWK set of one forged issuer's key, with or without its chain, as JSON. */
export function forgeKeySet(
  issuer: ForgedTokenIssuer,
  options: { readonly chain?: boolean; readonly members?: Readonly<Record<string, unknown>> } = {},
): string {
  const x5c = options.chain === true ? { x5c: issuer.x5c.map((der) => toBase64(der)) } : {};
  return JSON.stringify({ keys: [{ ...issuer.jwk, ...x5c, ...options.members }] });
}

/** Where Google says that the list of its root is; nobody fetches it here. */
const crlDistributionPoint = {
  oid: extensionOids.crlDistributionPoints,
  value: der.sequence(
    der.sequence(der.explicit(0, der.explicit(0, der.implicit(6, utf8Encode('http://forged.example/root.crl'))))),
  ),
};

/** The list of the forged root, with these serials on it. @returns DER */
export async function forgeTokenCrl(
  issuer: ForgedTokenIssuer,
  options: { readonly now: Date; readonly revoked?: readonly number[] } & Partial<Omit<ForgeCrlOptions, 'revoked'>>,
): Promise<Uint8Array> {
  const { now, revoked = [], ...rest } = options;
  const signatureAlgorithm = signsWith(issuer.keys.root);
  return forgeCrl({
    issuer: { name: nameOf('root'), keys: issuer.keys.root },
    thisUpdate: new Date(now.getTime() - DAY),
    nextUpdate: new Date(now.getTime() + 6 * DAY),
    ...(signatureAlgorithm === undefined ? {} : { signatureAlgorithm }),
    ...rest,
    revoked: revoked.map((serial) => ({ serial, date: new Date(now.getTime() - DAY) })),
  });
}

function nameOf(level: TokenLevel): string {
  return `Forged token ${level}`;
}

/** RSA authorities of attestation services sign with PKCS #1; the rest sign as their key does. */
function signsWith({ kind }: ForgedKeys): SignatureAlgorithm | undefined {
  return kind.startsWith('rsa') ? { kind: 'rsa-pkcs1', hash: 'SHA-256' } : undefined;
}

async function pinOf({ spki }: ForgedKeys): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', spki)));
}

async function publicJwk({ kind, spki }: ForgedKeys): Promise<Record<string, unknown>> {
  const curve = { 'p-256': 'P-256', 'p-384': 'P-384', 'p-521': 'P-521' }[kind as string];
  const parameters =
    kind === 'ed25519'
      ? { name: 'Ed25519' }
      : curve === undefined
        ? { name: 'RSA-PSS', hash: 'SHA-256' }
        : { name: 'ECDSA', namedCurve: curve };
  const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey(
    'jwk',
    await crypto.subtle.importKey('spki', spki, parameters, true, ['verify']),
  );
  return { kty, n, e, crv, x, y };
}
