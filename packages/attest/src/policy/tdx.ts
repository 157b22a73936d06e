import * as z from 'zod';
import { dcapPolicyFields, hex, listOf } from './dcap.ts';

const digests = listOf(hex(48));

/** Requirements on Intel TDX quotes. Debugging is refused unless waived by name. */
export const tdxPolicySchema = z.strictObject({
  ...dcapPolicyFields,
  measurements: z
    .union([digests, z.literal('from-release')])
    .describe(
      "MRTD values (SHA-384) that are accepted. MRTD covers the virtual firmware alone; what it loads is in the RTMRs. 'from-release' is a placeholder that must be filled in before the policy can be used.",
    ),
  rtmrs: z
    .strictObject({
      0: digests.exactOptional(),
      1: digests.exactOptional(),
      2: digests.exactOptional(),
      3: digests.exactOptional(),
    })
    .describe(
      'Accepted values of the run-time registers. A register that is absent is not compared: without 1 and 2, any kernel and any command line are accepted.',
    ),
  septVeDisable: z
    .enum(['required', 'any'])
    .exactOptional()
    .describe(
      'Whether the TD must have SEPT_VE_DISABLE; without it a host can inject faults at chosen pages. Absent: required.',
    ),
  serviceTds: listOf(hex(48))
    .exactOptional()
    .describe(
      'Values of MRSERVICETD that are accepted beside zero, for instance of a migration TD. Absent: none, and TDs that may migrate are refused.',
    ),
  mrConfigIds: digests
    .exactOptional()
    .describe('Values of MRCONFIGID that are accepted. Absent: any; the host sets it.'),
  mrOwners: digests.exactOptional().describe('Values of MROWNER that are accepted. Absent: any; the host sets it.'),
});

export type TdxPolicy = z.infer<typeof tdxPolicySchema>;
