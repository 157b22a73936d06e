import * as z from 'zod';

/** What the sections for TDX and SGX have in common. */
export const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `expected ${bytes} bytes in lower-case hex`);
export const listOf = <T extends z.ZodType>(member: T) =>
  z
    .array(member)
    .min(1)
    .max(1024)
    .refine((list) => new Set(list).size === list.length, 'an entry is listed twice');

/** Statuses of Intel's TCB levels that a policy can accept. `Revoked` is not among them. */
export const tcbStatuses = Object.freeze([
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
] as const);
export type TcbStatus = (typeof tcbStatuses)[number];

const allowDeny = (bytes: number) =>
  z.strictObject({
    allow: listOf(hex(bytes)).exactOptional().describe('Absent: every one that is not denied.'),
    deny: listOf(hex(bytes)).exactOptional().describe('Absent: none.'),
  });

/** Requirements on the platform: the same for TDX and SGX. */
export const dcapPolicyFields = {
  tcbStatuses: listOf(z.enum(tcbStatuses)).describe(
    'Statuses that platform, quoting enclave and TDX module together may have. A revoked TCB is always refused.',
  ),
  minimumTcbEvaluationDataNumber: z
    .int()
    .min(0)
    .describe('Floor on tcbEvaluationDataNumber of TCB info and QE identity, so that a host cannot serve older ones.'),
  advisories: z
    .array(z.string().regex(/^INTEL-[A-Z]{2}-\d{5}$/, 'expected a name like INTEL-SA-00837'))
    .max(256)
    .exactOptional()
    .describe('Advisories that the TCB level may be subject to. Absent: any. Empty: none.'),
  fmspcs: allowDeny(6).exactOptional().describe('Lists of platform types (FMSPC). Absent: every type.'),
  ppids: allowDeny(16).exactOptional().describe('Lists of platforms (PPID). Absent: every platform.'),
};

const dcapPolicySchema = z.strictObject(dcapPolicyFields);
export type DcapPolicy = z.infer<typeof dcapPolicySchema>;
