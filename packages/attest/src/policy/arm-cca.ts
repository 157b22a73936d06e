import * as z from 'zod';
import { armPolicyFields, hash, hex, listOf, NO_KEY, someKey } from './arm.ts';

/** Names of hash functions in CCA tokens (IANA Named Information Hash Algorithm Registry). */
export const armCcaHashes = Object.freeze(['sha-256', 'sha-384', 'sha-512'] as const);
export type ArmCcaHash = (typeof armCcaHashes)[number];

/**
 * Requirements on Arm CCA attestation tokens. A platform in debug state is refused unless waived by name (CCA_DEBUG); every
 * other state but "secured" is refused always. The firmware of the platform must be in a reference state of the policy or of
 * a CoRIM, unless that is waived (CCA_REFERENCE_MISSING).
 */
export const armCcaPolicySchema = z
  .strictObject({
    ...armPolicyFields,
    measurements: z
      .union([listOf(hash), z.literal('from-release')])
      .describe(
        "Realm initial measurements (RIM) that are accepted. 'from-release' is a placeholder that must be filled in from a verified release before the policy can be used.",
      ),
    rems: z
      .strictObject({
        0: listOf(hash).exactOptional(),
        1: listOf(hash).exactOptional(),
        2: listOf(hash).exactOptional(),
        3: listOf(hash).exactOptional(),
      })
      .exactOptional()
      .describe(
        'Values of the extensible measurements that are accepted, by index; one that is absent is not compared. Absent: none is, and what the realm loaded after its activation is not known.',
      ),
    personalizationValues: listOf(hex(64))
      .exactOptional()
      .describe('Personalization values that are accepted. Absent: any; the host chooses it.'),
    hashAlgorithms: listOf(z.enum(armCcaHashes))
      .exactOptional()
      .describe('Algorithms that the realm may be measured with. Absent: all three.'),
    allowPlatformExtensions: z
      .boolean()
      .exactOptional()
      .describe(
        'Whether components may have been added to the platform at run time, for instance memory devices: they are not compared with anything. Absent: false.',
      ),
    requirePrivateMec: z
      .boolean()
      .exactOptional()
      .describe(
        'Whether the memory of the realm must be encrypted under a key of its own. Only tokens of profile realm#2.0.0 say so. Absent: false.',
      ),
  })
  .refine(someKey, NO_KEY);

export type ArmCcaPolicy = z.infer<typeof armCcaPolicySchema>;
