import * as z from 'zod';
import { dcapPolicyFields, hex, listOf } from './dcap.ts';

/** Requirements on Intel SGX quotes. Debug enclaves are refused unless waived by name. */
export const sgxPolicySchema = z
  .strictObject({
    ...dcapPolicyFields,
    measurements: z
      .union([listOf(hex(32)), z.literal('from-release')])
      .exactOptional()
      .describe(
        "MRENCLAVE values that are accepted. Absent: any of the signers. 'from-release' is a placeholder that must be filled in before the policy can be used.",
      ),
    signers: z
      .array(
        z.strictObject({
          mrSigner: hex(32),
          isvProdId: z.int().min(0).max(65_535),
          minimumIsvSvn: z.int().min(0).max(65_535),
        }),
      )
      .min(1)
      .max(64)
      .exactOptional()
      .describe('Signers and products, one of which the enclave must be, with a floor on its ISVSVN. Absent: any.'),
    attributes: z
      .strictObject({
        value: hex(16).describe('The attributes, as the report holds them: flags (little-endian), then XFRM.'),
        mask: hex(16).describe('The bits that are compared.'),
      })
      .exactOptional()
      .describe(
        'Attributes that the enclave must have. Absent: those of an initialised enclave, with no flag that this verifier does not know. DEBUG is refused in either case.',
      ),
  })
  .refine(
    ({ measurements, signers }) => measurements !== undefined || signers !== undefined,
    'neither measurements nor signers: any enclave would be accepted',
  );

export type SgxPolicy = z.infer<typeof sgxPolicySchema>;
