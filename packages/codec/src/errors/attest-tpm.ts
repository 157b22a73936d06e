import { tpmAkErrors } from './attest-tpm-ak.ts';
import type { ErrorFacts } from './class.ts';

const requote = 'Ask the TPM for a new quote; if it persists, the quote is forged or was damaged on the way.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of TPM 2.0 quotes, in the order in which the checks run. Those of event logs are apart. */
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
  ...tpmAkErrors,
  TPM_KEY_NOT_PINNED: denied(
    'The attestation key is not one that the policy pins, so nobody vouches for the quote.',
    'Enrol the machine: add the SHA-256 of its attestation key to policy.tpm.attestationKeys.',
  ),
  TPM_KEY: invalid('The attestation key does not go with the scheme of the signature, or is too weak.', requote),
  TPM_SIGNATURE: invalid(
    'The quote is not signed by the attestation key.',
    'Do not trust this machine: the quote is forged.',
  ),
  TPM_PCR_VALUE: invalid('The value of a quoted register is missing or of the wrong size.', requote),
  TPM_PCR_DIGEST: invalid('The values of the registers are not those that the quote covers.', requote),

  // appraise
  TPM_NONCE_MISMATCH: denied(
    'The quote was not made for the expected nonce.',
    'Ask for a quote made for this session.',
  ),
  TPM_CLOCK_UNSAFE: denied(
    'The clock of the TPM is not safe: the last shutdown was not orderly.',
    "Wait until the TPM has saved its clock, or set safeClock to 'any' in the policy.",
  ),
  TPM_RESET: denied(
    'The TPM was started again since the boot that the policy names.',
    'Attest the machine anew from its boot.',
  ),
  TPM_RESTART: denied(
    'The TPM was resumed since the moment that the policy names.',
    'Attest the machine anew after it resumed.',
  ),
  TPM_PCR_NOT_SELECTED: denied(
    'The quote does not cover every register that the policy needs.',
    'Quote the registers that the detail names, in the bank of the policy.',
  ),
  TPM_MEASUREMENT_NOT_ALLOWED: denied(
    'The measurement register does not hold a value that the policy accepts.',
    'Boot an image of a current release, or add its measurement to the policy; the detail names every register that differs.',
  ),
  TPM_PCR_NOT_ALLOWED: denied(
    'A register does not hold a value that the policy lists for it.',
    'The detail names every register that differs, and its first event that does where the policy lists its events.',
  ),
} as const satisfies Record<string, ErrorFacts>);
