import * as z from 'zod';

const register = z.string().regex(/^[0-9a-f]{96}$/, 'expected 48 bytes in lower-case hex');
const listOf = <T extends z.ZodType>(member: T) =>
  z
    .array(member)
    .min(1)
    .max(1024)
    .refine((list) => new Set(list).size === list.length, 'an entry is listed twice');
const instanceId = z.string().regex(/^i-[0-9a-f]{8,17}$/, 'expected an EC2 instance id');

/**
 * Requirements on documents of AWS Nitro: of enclaves in section `nitro`, of instances with NitroTPM in section `nitroTpm`.
 * Enclaves in debug mode are refused unless waived by name (NITRO_DEBUG); their PCR0 is zero, and a policy that waives must
 * list that value as well.
 */
export const nitroPolicySchema = z.strictObject({
  measurements: z
    .union([listOf(register), z.literal('from-release')])
    .describe(
      "Measurements that are accepted: PCR0 of an enclave (its whole image), PCR4 of an instance with NitroTPM (what its firmware booted). 'from-release' is a placeholder that must be filled in from a verified release before the policy can be used.",
    ),
  pcrs: z
    .record(z.string().regex(/^(?:[0-9]|[12][0-9]|3[01])$/, 'expected an index from 0 to 31'), listOf(register))
    .refine((pins) => Object.keys(pins).length > 0, 'no register is listed')
    .exactOptional()
    .describe(
      'Values that are accepted in further registers, by index; a register that is listed must be in the document. Absent: the others are not compared. Enclaves: 1 kernel and boot, 2 application, 3 IAM role, 4 instance id, 8 image signing certificate. NitroTPM: 7 Secure Boot policy.',
    ),
  binding: z
    .enum(['user-data', 'nonce'])
    .exactOptional()
    .describe("Field that must equal the expected report data. Absent: 'user-data'."),
  maxAgeSeconds: z
    .int()
    .min(1)
    .max(10_800)
    .exactOptional()
    .describe('Age of a document, by its timestamp, at which it is refused. Absent: 300.'),
  instances: z
    .strictObject({
      allow: listOf(instanceId).exactOptional().describe('Absent: every instance that is not denied.'),
      deny: listOf(instanceId).exactOptional().describe('Absent: none.'),
    })
    .exactOptional()
    .describe('EC2 instances that may run the enclave, or be the attested one. Absent: every instance.'),
});

export type NitroPolicy = z.infer<typeof nitroPolicySchema>;
