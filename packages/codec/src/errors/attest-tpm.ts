import type { ErrorFacts } from './class.ts';

const requote = 'Ask the TPM for a new quote; if it persists, the quote is forged or was damaged on the way.';
const relog = 'Read the log again from the firmware; if it persists, the log was changed or cut short.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of TPM 2.0 quotes and event logs, in the order in which the checks run. */
export const tpmErrors = Object.freeze({
  // parse
  TPM_SIZE: invalid('The quote or its signature is larger than any TPM makes it.', requote),
  TPM_MAGIC: invalid('The quote does not begin with the number that only a TPM signs.', requote),
  TPM_TYPE: invalid('The structure is attested by a TPM, but is not a quote.', requote),
  TPM_CLOCK_FLAG: invalid('The flag that says whether the clock is safe is neither 0 nor 1.', requote),
  TPM_SELECTION: invalid('The quote selects no registers, unknown ones, or a bank twice.', requote),
  TPM_BANK: invalid(
    'The quote covers a bank of registers that is not SHA-256, SHA-384 or SHA-512.',
    'Quote a SHA-2 bank.',
  ),
  TPM_SCHEME: invalid(
    'The signature scheme is not RSASSA, RSAPSS or ECDSA.',
    'Use an attestation key with such a scheme.',
  ),
  TPM_HASH: invalid(
    'The signature is not made over SHA-256, SHA-384 or SHA-512.',
    'Use an attestation key with SHA-2.',
  ),
  TPM_COORDINATE: invalid('Half of the ECDSA signature is empty or too long.', requote),
  TPM_PUBLIC: invalid(
    'The public area of the key is not one of an attestation key.',
    'Use an RSA key or one on a NIST curve.',
  ),
  TPM_KEY_ATTRIBUTES: invalid(
    'The key is not restricted to signing what its TPM made.',
    'Create the attestation key fixed, restricted and for signing alone.',
  ),

  // authenticate
  TPM_KEY: invalid('The attestation key does not go with the scheme of the signature, or is too weak.', requote),
  TPM_SIGNATURE: invalid(
    'The quote is not signed by the attestation key.',
    'Do not trust this machine: the quote is forged.',
  ),

  // appraise
  TPM_NONCE_MISMATCH: denied(
    'The quote was not made for the expected nonce.',
    'Ask for a quote made for this session.',
  ),
  TPM_CLOCK_UNSAFE: denied(
    'The clock of the TPM is not safe: the last shutdown was not orderly.',
    'Wait until the TPM has saved its clock, or do not require a safe clock.',
  ),
  TPM_RESET: denied('The TPM was started again since the earlier quote.', 'Attest the machine anew from its boot.'),
  TPM_PCR_NOT_SELECTED: denied(
    'The quote does not cover every register that is required.',
    'Quote the required registers.',
  ),
  TPM_PCR_VALUE: invalid('The value of a quoted register is missing or of the wrong size.', requote),
  TPM_PCR_DIGEST: invalid('The values of the registers are not those that the quote covers.', requote),
  TPM_PCR_NOT_ALLOWED: denied(
    'A register does not hold an accepted value.',
    'Run what was measured, or accept its value.',
  ),

  // event log
  TPM_LOG_LIMIT: invalid('The event log is larger than this reader accepts.', relog),
  TPM_LOG_MALFORMED: invalid('The event log does not follow its format.', relog),
  TPM_LOG_PCR: invalid('An event extends a register that this reader does not replay.', relog),
  TPM_LOG_BANK: invalid(
    'The event log does not hold the bank that is asked for.',
    'Ask for a bank that the log holds.',
  ),
  TPM_LOG_MISMATCH: invalid('The event log does not replay to the quoted registers.', relog),
} as const satisfies Record<string, ErrorFacts>);
