import type { ErrorFacts } from './class.ts';

/** Codes of Intel SGX quotes, in the order in which the checks run. */
export const sgxErrors = Object.freeze({
  SGX_REPORT_DATA_MISMATCH: {
    class: 'denied',
    message: 'The report data is not what this session expects.',
    next: 'Ask for fresh evidence over your own nonce; the quote belongs to another session, key or release.',
  },
  SGX_MEASUREMENT_NOT_ALLOWED: {
    class: 'denied',
    message: 'MRENCLAVE is not one that the policy lists.',
    next: 'Start the released enclave, or release this one.',
  },
  SGX_SIGNER_NOT_ALLOWED: {
    class: 'denied',
    message: 'The enclave is not a product of a signer that the policy lists.',
    next: 'Start an enclave of an allowed signer and product.',
  },
  SGX_ISV_SVN_LOW: {
    class: 'denied',
    message: 'The security version of the enclave is below the floor of the policy.',
    next: 'Start a newer build of the enclave.',
  },
  SGX_DEBUG_ALLOWED: {
    class: 'denied',
    message: 'The enclave runs in debug mode: the host reads and writes its memory.',
    next: 'Build and start the enclave without the DEBUG attribute.',
  },
  SGX_ATTRIBUTES_NOT_ALLOWED: {
    class: 'denied',
    message: 'The attributes of the enclave are not those that the policy asks for.',
    next: 'Start the enclave with the attributes that the policy names, or name those of this one.',
  },
  SGX_ATTRIBUTES_INVALID: {
    class: 'invalid',
    message: 'The attributes are not those of an initialised enclave, or hold bits that this verifier does not know.',
    next: 'Update Fastness if the processor is newer; otherwise treat the quote as damaged.',
  },
} as const satisfies Record<string, ErrorFacts>);
