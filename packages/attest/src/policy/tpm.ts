import * as z from 'zod';

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `expected ${bytes} bytes in lower-case hex`);
export const listOf = <T extends z.ZodType>(member: T) =>
  z
    .array(member)
    .min(1)
    .max(1024)
    .refine((list) => new Set(list).size === list.length, 'an entry is listed twice');
/** Lists of what may and may not be attested. */
export const allowDeny = <T extends z.ZodType>(member: T) =>
  z.strictObject({
    allow: listOf(member).exactOptional().describe('Absent: every one that is not denied.'),
    deny: listOf(member).exactOptional().describe('Absent: none.'),
  });

const digest = z.union([hex(32), hex(48), hex(64)]);
const index = z.int().min(0).max(23);
const byRegister = <T extends z.ZodType>(member: T) =>
  z
    .record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/, 'expected an index from 0 to 23'), member)
    .refine((registers) => Object.keys(registers).length > 0, 'no register is listed');

const bankBytes = Object.freeze({ 'SHA-256': 32, 'SHA-384': 48, 'SHA-512': 64 });
const DEFAULT_BANK = 'SHA-256';

/** Requirements on a quote: the same for every kind of TPM. */
export const quotePolicyFields = {
  bank: z
    .enum(['SHA-256', 'SHA-384', 'SHA-512'])
    .exactOptional()
    .describe(`Bank of registers that counts; every digest below is of this hash. Absent: '${DEFAULT_BANK}'.`),
  measurements: z
    .union([listOf(digest), z.literal('from-release')])
    .describe(
      "Values that are accepted in the measurement register (`measurementPcr`). 'from-release' is a placeholder that must be filled in from a verified release before the policy can be used.",
    ),
  measurementPcr: index
    .exactOptional()
    .describe(
      'Register that `measurements` are of. Absent: 4, which covers what the firmware booted (boot loader, or the unified kernel image). Boot loaders measure kernel and command line into 8 and 9, systemd-stub into 11.',
    ),
  pcrs: byRegister(listOf(digest))
    .exactOptional()
    .describe(
      'Values that are accepted in further registers, by index; the quote must cover a register that is listed. Absent: the others are not compared. 0 firmware, 7 Secure Boot policy.',
    ),
  quotedPcrs: listOf(index)
    .exactOptional()
    .describe(
      'Registers that the quote must cover although their values are not compared; the claims show them. Absent: none.',
    ),
  safeClock: z
    .enum(['required', 'any'])
    .exactOptional()
    .describe(
      'Whether the clock of the TPM must be safe, which it is not after a shutdown without notice until it was saved again; hosts can cause that. Absent: required.',
    ),
  resetCount: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .exactOptional()
    .describe('Starts of the TPM that it must state, as an earlier quote of the same boot did. Absent: not compared.'),
  restartCount: z
    .int()
    .min(0)
    .max(0xffff_ffff)
    .exactOptional()
    .describe('Resumptions since that start that it must state. Absent: not compared.'),
  eventLog: z
    .enum(['required', 'if-sent'])
    .exactOptional()
    .describe(
      'Whether an event log must come with the quote. One that comes must replay to the quoted registers in any case. Absent: if-sent, or required where `events` or `requiredEvents` are listed.',
    ),
  eventLogPcrs: listOf(index)
    .exactOptional()
    .describe(
      'Registers that the log must replay to. Absent: every quoted register that it extends, and those from 0 to 7. List them where software extends registers after the boot (systemd 11, IMA 10).',
    ),
  events: byRegister(z.array(digest).min(1).max(1024))
    .exactOptional()
    .describe(
      'All events of a register, as their digests in their order, by index. A register that differs is explained by its first event that does. Absent: not compared.',
    ),
  requiredEvents: byRegister(listOf(digest))
    .exactOptional()
    .describe('Digests that must be among the events of a register, by index, in any order. Absent: none.'),
};

/** Refuses digests that are not of the bank: they could never match, or the wrong bank was meant. */
export function checkBankDigests(policy: QuotePolicy, context: z.RefinementCtx): void {
  const bytes = bankBytes[policy.bank ?? DEFAULT_BANK];
  const { measurements, pcrs = {}, events = {}, requiredEvents = {} } = policy;
  const digests = [
    ...(measurements === 'from-release' ? [] : measurements),
    ...[pcrs, events, requiredEvents].flatMap((registers) => Object.values(registers).flat()),
  ];
  if (digests.some((value) => value.length !== bytes * 2)) {
    context.addIssue({ code: 'custom', message: `a digest is not of the bank: ${bytes} bytes` });
  }
}

const quotePolicySchema = z.strictObject(quotePolicyFields);
export type QuotePolicy = z.infer<typeof quotePolicySchema>;

/** Requirements on quotes of a TPM whose attestation key the policy pins. */
export const tpmPolicySchema = z
  .strictObject({
    ...quotePolicyFields,
    attestationKeys: listOf(hex(32)).describe(
      'Attestation keys that are accepted: SHA-256 of the DER SubjectPublicKeyInfo. No vendor vouches for them: take each from its machine, and only if its TPM keeps it restricted.',
    ),
  })
  .superRefine(checkBankDigests);

export type TpmPolicy = z.infer<typeof tpmPolicySchema>;
