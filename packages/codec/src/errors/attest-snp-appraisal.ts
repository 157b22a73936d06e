import type { ErrorFacts } from './class.ts';

const recollect = 'Collect a fresh report; if it persists, the platform or the path to it is damaged or forged.';

/** Codes of appraising an authentic AMD SEV-SNP report, in the order in which the checks run. */
export const snpAppraisalErrors = Object.freeze({
  SNP_REPORT_DATA_MISMATCH: {
    class: 'denied',
    message: 'The report data is not what this session expects.',
    next: 'Ask for fresh evidence over your own nonce; the report belongs to another session, key or release.',
  },
  SNP_MEASUREMENT_NOT_ALLOWED: {
    class: 'denied',
    message: 'The launch measurement is not one that the policy lists.',
    next: 'Launch the released image, or release this one.',
  },
  SNP_POLICY_RESERVED_ONE: {
    class: 'invalid',
    message: 'Bit 17 of the guest policy, which must be one, is zero.',
    next: recollect,
  },
  SNP_POLICY_RESERVED_BITS: {
    class: 'denied',
    message: 'The guest policy sets bits that this verifier does not know.',
    next: 'Update Fastness if the firmware is newer; otherwise launch the guest without these bits.',
  },
  SNP_DEBUG_ALLOWED: {
    class: 'denied',
    message: 'The guest policy lets the host debug the guest and read its memory.',
    next: 'Launch the guest without the DEBUG bit in its policy.',
  },
  SNP_MIGRATION_ALLOWED: {
    class: 'denied',
    message: 'The guest policy lets a migration agent take the guest elsewhere.',
    next: 'Launch the guest without the MIGRATE_MA bit in its policy.',
  },
  SNP_SMT_ALLOWED: {
    class: 'denied',
    message: 'The guest policy allows simultaneous multithreading, and the attestation policy refuses it.',
    next: 'Launch the guest without the SMT bit in its policy.',
  },
  SNP_GUEST_POLICY_WEAK: {
    class: 'denied',
    message: 'The guest policy lacks a protection that the attestation policy requires.',
    next: 'Launch the guest with the protection named in the detail.',
  },
  SNP_VMPL_NOT_ALLOWED: {
    class: 'denied',
    message: 'The report was requested from a privilege level (VMPL) that the policy does not allow.',
    next: 'Request the report from an allowed VMPL; some clouds run guests at VMPL 1.',
  },
  SNP_HOST_DATA_NOT_ALLOWED: {
    class: 'denied',
    message: 'The host data is not one that the policy lists.',
    next: 'Launch the guest with the expected host data.',
  },
  SNP_ID_KEY_NOT_ALLOWED: {
    class: 'denied',
    message: 'The guest was not launched under an id key that the policy lists.',
    next: 'Launch the guest with an id block signed by a listed key.',
  },
  SNP_AUTHOR_KEY_NOT_ALLOWED: {
    class: 'denied',
    message: 'The id key was not certified by an author key that the policy lists.',
    next: 'Launch the guest with an id block certified by a listed author key.',
  },
  SNP_PRODUCT_NOT_ALLOWED: {
    class: 'denied',
    message: 'The policy does not allow this processor generation.',
    next: 'Run on an allowed product, or add it to policy.snp.products.',
  },
  SNP_PRODUCT_DENIED: {
    class: 'denied',
    message: 'The policy refuses this processor generation by name.',
    next: 'Run on another generation; take it out of policy.snp.denyProducts only if you know why it was denied.',
  },
  SNP_SIGNING_KEY_NOT_ALLOWED: {
    class: 'denied',
    message: 'The policy does not allow this kind of signing key.',
    next: 'Add the kind to policy.snp.signingKeys if you trust whoever holds such keys.',
  },
  SNP_TCB_REPORTED_LOW: {
    class: 'denied',
    message: 'The reported TCB is below the floor of the policy.',
    next: 'Have the host update its firmware and its reported TCB.',
  },
  SNP_TCB_COMMITTED_LOW: {
    class: 'denied',
    message: 'The committed TCB is below the floor, so the firmware can be rolled back.',
    next: 'Have the host commit the current firmware.',
  },
  SNP_TCB_CURRENT_LOW: {
    class: 'denied',
    message: 'The current TCB is below the floor of the policy.',
    next: 'Have the host update its firmware.',
  },
  SNP_TCB_LAUNCH_LOW: {
    class: 'denied',
    message: 'The guest was launched under a TCB below the floor of the policy.',
    next: 'Launch the guest again on updated firmware.',
  },
  SNP_MITIGATION_MISSING: {
    class: 'denied',
    message: 'A required vulnerability mitigation was not in force at launch or is not now.',
    next: 'Have the host update firmware and microcode, then launch the guest again.',
  },
  SNP_SMT_ENABLED: {
    class: 'denied',
    message: 'Simultaneous multithreading is on, and the attestation policy refuses it.',
    next: 'Use a machine with SMT off.',
  },
  SNP_ALIAS_CHECK_MISSING: {
    class: 'denied',
    message: 'The platform did not complete its memory alias check.',
    next: 'Have the host update its firmware; without the check, memory modules can lie about their size.',
  },
  SNP_CHIP_UNKNOWN: {
    class: 'denied',
    message: 'The policy lists chips, and a report signed by a VLEK does not name its chip.',
    next: "Take 'vlek' out of policy.snp.signingKeys, or take the chip lists out.",
  },
  SNP_CHIP_NOT_ALLOWED: {
    class: 'denied',
    message: 'The chip is not on the list of allowed chips.',
    next: 'Add the chip to policy.snp.chipIds.allow, or run on a listed one.',
  },
  SNP_CHIP_DENIED: {
    class: 'denied',
    message: 'The chip is on the list of denied chips.',
    next: 'Run on another machine.',
  },
  SNP_CSP_NOT_ALLOWED: {
    class: 'denied',
    message: 'The cloud provider of the VLEK is not on the list of the policy.',
    next: 'Add the provider to policy.snp.cspIds, or run elsewhere.',
  },
} as const satisfies Record<string, ErrorFacts>);
