import * as z from 'zod';
import { hex, listOf } from './dcap.ts';

/** What the sections for tokens of attestation services have in common. */
export const tokenPins = {
  signingKeys: listOf(hex(32))
    .exactOptional()
    .describe('SHA-256 of the SubjectPublicKeyInfo of keys that may sign its tokens.'),
  authorities: listOf(hex(32))
    .exactOptional()
    .describe('SHA-256 of the SubjectPublicKeyInfo of authorities that may certify such keys.'),
};
const PINS =
  'Whoever is accepted here is trusted as a verifier. Where neither signingKeys nor authorities is given, the trust anchors for the service decide; where one is, only these pins do.';

const issuerName = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/, 'expected printable text');

/** Issuers of a service that has many, each with its own keys. */
export const issuersField = z
  .array(z.strictObject({ issuer: issuerName.describe('The exact `iss` of its tokens.'), ...tokenPins }))
  .min(1)
  .max(64)
  .refine((list) => new Set(list.map(({ issuer }) => issuer)).size === list.length, 'an issuer is listed twice')
  .describe(`Issuers whose tokens are accepted. ${PINS}`);

/** Fields of every section for tokens. */
export const tokenUseFields = {
  audiences: listOf(z.string().min(1).max(512))
    .exactOptional()
    .describe('Audiences, one of which the token must name. Absent: the token must name none.'),
  maxAgeSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .exactOptional()
    .describe('Age of a token, since it was issued, at which it is refused. Absent: tokens count until they expire.'),
};

export { hex, listOf };
