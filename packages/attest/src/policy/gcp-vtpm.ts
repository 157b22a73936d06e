import * as z from 'zod';
import { allowDeny, checkBankDigests, listOf, quotePolicyFields } from './tpm.ts';

const projectId = z.string().regex(/^[a-z0-9.:-]{1,128}$/, 'expected the id of a project');
const zone = z.string().regex(/^[a-z0-9-]{1,63}$/, 'expected the name of a zone');
const instanceId = z.string().regex(/^(?:0|[1-9]\d{0,19})$/, 'expected the number of an instance');

/** Requirements on quotes of the virtual TPM of an instance of Google Compute Engine. */
export const gcpVtpmPolicySchema = z
  .strictObject({
    ...quotePolicyFields,
    projects: z
      .union([listOf(projectId), z.literal('any')])
      .describe(
        "Projects whose instances are accepted, by id. 'any': everybody's; the registers alone do not tell your machine from another that booted the same software.",
      ),
    zones: listOf(zone).exactOptional().describe('Zones that the instance may run in. Absent: every zone.'),
    instances: allowDeny(instanceId)
      .exactOptional()
      .describe('Instances by id (decimal). Absent: every instance of the projects.'),
  })
  .superRefine(checkBankDigests);

export type GcpVtpmPolicy = z.infer<typeof gcpVtpmPolicySchema>;
