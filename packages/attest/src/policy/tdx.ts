import * as z from 'zod';
import { dcapPolicyFields, hex, listOf } from './dcap.ts';

const digests = listOf(hex(48));
const index = z.literal([0, 1, 2, 3]);
/** What a register was extended with once. */
const event = z.strictObject({
  name: z.string().min(1).max(80).describe('What it is of, in words of your own: a refusal names the event by them.'),
  digests: digests.describe(
    'Accepted digests (SHA-384); more than one where hosts or firmware do the same in ways of their own.',
  ),
});
const byRegister = <T extends z.ZodType>(member: T) =>
  z.strictObject({
    0: member.exactOptional(),
    1: member.exactOptional(),
    2: member.exactOptional(),
    3: member.exactOptional(),
  });
const MAX_EVENTS = 512;

/** Requirements on Intel TDX quotes. Debugging is refused unless waived by name. */
export const tdxPolicySchema = z.strictObject({
  ...dcapPolicyFields,
  measurements: z
    .union([digests, z.literal('from-release')])
    .describe(
      "MRTD values (SHA-384) that are accepted. MRTD covers the virtual firmware alone; what it loads is in the RTMRs. 'from-release' is a placeholder that must be filled in before the policy can be used.",
    ),
  rtmrs: byRegister(digests).describe(
    'Accepted values of the run-time registers. A register that is absent is not compared: without 1 and 2, any kernel and any command line are accepted.',
  ),
  eventLog: z
    .enum(['required', 'if-sent'])
    .exactOptional()
    .describe(
      'Whether the event log of the boot (CCEL) must come with the quote. One that comes must replay to the registers in any case. Absent: if-sent, or required where `events` or `requiredEvents` are listed.',
    ),
  eventLogRtmrs: listOf(index)
    .exactOptional()
    .describe(
      'Registers that the log must replay to, beside those of `events` and `requiredEvents`. Absent: all four. List fewer where software extends a register after the boot and keeps no log.',
    ),
  events: byRegister(z.array(event).max(MAX_EVENTS))
    .exactOptional()
    .describe(
      'All events of a register, in their order. A register that differs is explained by its first event that does. Absent: not compared.',
    ),
  requiredEvents: byRegister(z.array(event).min(1).max(MAX_EVENTS))
    .exactOptional()
    .describe(
      'Events that must be among those of a register, in any order: of each, one of its digests. Absent: none.',
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
/** An event of a register, as a policy pins it. */
export type PinnedEvent = z.infer<typeof event>;
