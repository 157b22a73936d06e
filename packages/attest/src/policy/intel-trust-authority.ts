import * as z from 'zod';
import { tcbStatuses } from './dcap.ts';
import { hex, issuersField, listOf, tokenUseFields } from './token.ts';

/** Requirements on tokens of Intel Trust Authority. Debugging is refused unless waived by name. */
export const intelTrustAuthorityPolicySchema = z.strictObject({
  issuers: issuersField,
  ...tokenUseFields,
  tees: listOf(z.enum(['sgx', 'tdx'])).describe('Kinds of TEE that the service may have attested.'),
  binding: z
    .enum(['held-data', 'report-data'])
    .describe(
      "Where the expected report data must be. 'held-data': attester_held_data, base64; the service checked that the quote binds it. 'report-data': the 64 bytes of the quote, hex, where no nonce of the service was mixed in.",
    ),
  measurements: z
    .union([listOf(z.union([hex(48), hex(32)])), z.literal('from-release')])
    .describe(
      "MRENCLAVE or MRTD values that are accepted. 'from-release' is a placeholder that must be filled in before the policy can be used.",
    ),
  tcbStatuses: listOf(z.enum(tcbStatuses)).describe('Values of attester_tcb_status that are accepted.'),
  advisories: z
    .array(z.string().regex(/^INTEL-[A-Z]{2}-\d{5}$/, 'expected a name like INTEL-SA-00837'))
    .max(256)
    .exactOptional()
    .describe('Advisories that the platform may be subject to. Absent: any. Empty: none.'),
  policyIds: listOf(z.string().min(1).max(64))
    .exactOptional()
    .describe('Policies of the service that the evidence must have matched, all of them. Absent: none.'),
  septVeDisable: z.enum(['required', 'any']).exactOptional().describe('As for TDX quotes. Absent: required.'),
  rtmrs: z
    .strictObject({
      0: listOf(hex(48)).exactOptional(),
      1: listOf(hex(48)).exactOptional(),
      2: listOf(hex(48)).exactOptional(),
      3: listOf(hex(48)).exactOptional(),
    })
    .exactOptional()
    .describe('TDX: accepted values of the run-time registers. Absent: not compared.'),
  signers: listOf(hex(32)).exactOptional().describe('SGX: values of MRSIGNER that are accepted. Absent: any.'),
});

export type IntelTrustAuthorityPolicy = z.infer<typeof intelTrustAuthorityPolicySchema>;
