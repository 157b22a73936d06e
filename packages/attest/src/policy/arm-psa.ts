import * as z from 'zod';
import { armPolicyFields, hash, hex, listOf, NO_KEY, someKey } from './arm.ts';

/** Profiles of PSA tokens that are read, oldest first. */
export const armPsaProfiles = Object.freeze([
  'PSA_IOT_PROFILE_1',
  'http://arm.com/psa/2.0.0',
  'tag:psacertified.org,2023:psa#tfm',
] as const);
export type ArmPsaProfile = (typeof armPsaProfiles)[number];

const clientId = z
  .int()
  .min(-(2 ** 31))
  .max(2 ** 31 - 1)
  .refine((id) => id !== 0, 'there is no client 0');

/**
 * Requirements on PSA attestation tokens (RFC 9783). A device in debug state is refused unless waived by name (PSA_DEBUG);
 * every other state but "secured" is refused always. Which software is accepted is said by `measurements`, by `references`
 * or by the CoRIMs of `corimSigners`; a token that none of them speaks for is refused.
 */
export const armPsaPolicySchema = z
  .strictObject({
    ...armPolicyFields,
    clientIds: z
      .union([listOf(clientId), z.enum(['any', 'any-secure', 'any-non-secure'])])
      .describe(
        "Security domains that may have asked for the token: client ids, positive for callers in the secure processing environment, negative for those outside it; 'any-secure' and 'any-non-secure' name either side. A domain can only speak for itself, so this must be said.",
      ),
    measurements: z
      .union([listOf(hex(32)), z.literal('from-release')])
      .exactOptional()
      .describe(
        "Digests over all software components that are accepted: see armPsaMeasurement. Compared in addition to reference states where there are any. Absent: reference states alone decide. 'from-release' is a placeholder that must be filled in from a verified release before the policy can be used.",
      ),
    profiles: listOf(z.enum(armPsaProfiles))
      .exactOptional()
      .describe('Profiles that are accepted. Absent: all that are read.'),
    signerIds: listOf(hash)
      .exactOptional()
      .describe('Signers of software components; every component must have one of them. Absent: not compared.'),
    certificationReferences: listOf(
      z.string().regex(/^[0-9]{13}(?:-[0-9]{5})?$/, 'expected an EAN-13, "-" and five digits'),
    )
      .exactOptional()
      .describe('PSA Certified references, one of which the token must name. Absent: not compared.'),
  })
  .refine(someKey, NO_KEY);

export type ArmPsaPolicy = z.infer<typeof armPsaPolicySchema>;
