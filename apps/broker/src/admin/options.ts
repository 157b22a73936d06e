import { z } from 'zod';
import { adminRoles } from './roles.ts';

const path = z.string().min(1).max(4096);

/** What an administrator is called in the audit log, and what he may do. */
const who = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/)
    .describe('What the audit log calls this administrator, or this group of administrators.'),
  roles: z.array(z.enum(adminRoles)).min(1).max(adminRoles.length),
};

const certificateIdentity = z.union([
  z.strictObject({
    ...who,
    spkiSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('SHA-256 of the SubjectPublicKeyInfo of the certificate: one key.'),
  }),
  z.strictObject({
    ...who,
    subjectAltName: z
      .string()
      .regex(/^(?:URI|DNS|email):[\x21-\x7e]{1,255}$/)
      .describe(
        'A subject alternative name, byte for byte, such as URI:spiffe://example.com/alice: whoever the authority gives it to.',
      ),
  }),
]);

/** Administrators who are known by a client certificate. The broker must terminate TLS itself. */
const certificateOptionsSchema = z.strictObject({
  authorityPath: path.describe(
    'PEM: the certificates of the authorities that issue those of administrators, directly.',
  ),
  revocationListPath: path
    .exactOptional()
    .describe(
      'PEM: one current revocation list of each authority, read again when the file changes. Absent: a certificate counts until it expires or its identity is taken out of the configuration.',
    ),
  identities: z.array(certificateIdentity).min(1).max(256),
});
export type CertificateOptions = z.output<typeof certificateOptionsSchema>;

/** A URL that keys may come from: over TLS, or from this machine. */
const issuerUrl = z
  .url({ protocol: /^https?$/ })
  .max(1024)
  .refine((text) => {
    const { protocol, hostname } = new URL(text);
    return protocol === 'https:' || ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
  }, 'https, or this machine');

/** Administrators who are known by an access token of an OpenID provider. */
export const oidcOptionsSchema = z.strictObject({
  issuer: issuerUrl.describe('`iss`, character for character.'),
  audience: z.string().min(1).max(255).describe('`aud` of tokens for this broker, and for nothing else.'),
  jwksUri: issuerUrl.describe("Where the issuer's keys are: jwks_uri of its discovery document."),
  authorityPath: path
    .exactOptional()
    .describe("PEM: the authorities of the issuer's TLS certificate. Absent: those of the system."),
  algorithms: z
    .array(z.enum(['ES256', 'ES384', 'EdDSA', 'PS256', 'PS384', 'RS256', 'RS384']))
    .min(1)
    .max(7)
    .describe('Signature algorithms that the issuer uses; others are refused.'),
  tokenType: z
    .enum(['at+jwt', 'JWT'])
    .default('at+jwt')
    .describe(
      "`typ` of access tokens (RFC 9068). 'JWT' for issuers that do not say: then the audience alone keeps other tokens out.",
    ),
  clockSkewSeconds: z.int().min(0).max(300).default(30),
  maximumAgeSeconds: z.int().min(60).max(86_400).default(3600).describe('Tokens issued longer ago are refused.'),
  identities: z
    .array(
      z.strictObject({
        ...who,
        claim: z
          .string()
          .regex(/^[\x21-\x7e]{1,128}$/)
          .default('sub')
          .describe('A member of the token: a text, or a list of texts such as groups.'),
        value: z.string().min(1).max(255),
      }),
    )
    .min(1)
    .max(256)
    .describe('The first that fits counts.'),
});
export type OidcOptions = z.output<typeof oidcOptionsSchema>;

/** How administrators are known besides, or in place of, the one bearer token. */
export const administratorsSchema = z.strictObject({
  certificates: certificateOptionsSchema.exactOptional(),
  oidc: oidcOptionsSchema.exactOptional(),
});
export type AdministratorsOptions = z.output<typeof administratorsSchema>;
export type AdministratorsInput = z.input<typeof administratorsSchema>;

/** The same with absolute paths. */
export function administratorsAt(
  { certificates, oidc }: AdministratorsOptions,
  at: (relative: string) => string,
): AdministratorsOptions {
  return {
    ...(certificates === undefined
      ? {}
      : {
          certificates: {
            ...certificates,
            authorityPath: at(certificates.authorityPath),
            ...(certificates.revocationListPath === undefined
              ? {}
              : { revocationListPath: at(certificates.revocationListPath) }),
          },
        }),
    ...(oidc === undefined
      ? {}
      : { oidc: { ...oidc, ...(oidc.authorityPath === undefined ? {} : { authorityPath: at(oidc.authorityPath) }) } }),
  };
}
