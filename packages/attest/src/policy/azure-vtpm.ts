import * as z from 'zod';
import { allowDeny, checkBankDigests, quotePolicyFields } from './tpm.ts';

const vmId = z
  .string()
  .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'expected a unique id in lower-case hex with hyphens');

/**
 * Requirements on quotes of confidential VMs of Azure. What the hardware must look like is said in section `snp` or `tdx`;
 * without the section of its hardware a VM is refused. The measurements there are those of Microsoft's paravisor and
 * firmware, the ones here of what they booted.
 */
export const azureVtpmPolicySchema = z
  .strictObject({
    ...quotePolicyFields,
    secureBoot: z
      .enum(['required', 'any'])
      .exactOptional()
      .describe('Whether Secure Boot must be configured. Absent: required.'),
    akCertificate: z
      .enum(['required', 'ignored'])
      .exactOptional()
      .describe(
        "Whether Azure's certificate authority must vouch for the attestation key too. Absent: ignored; the hardware's report vouches for the key.",
      ),
    vms: allowDeny(vmId).exactOptional().describe('VMs by unique id. Absent: every VM.'),
  })
  .superRefine(checkBankDigests);

export type AzureVtpmPolicy = z.infer<typeof azureVtpmPolicySchema>;
