/**
 * The life of an enclave:
 *
 *     starting -> waiting-for-broker -> opening -> serving -> lease-lost -> waiting-for-broker ...
 *
 * and from anywhere to stopped. What fails before a key is asked for, and what the broker refuses, is final; an
 * unreachable broker is not.
 */
export type EnclaveState = 'starting' | 'waiting-for-broker' | 'opening' | 'serving' | 'lease-lost' | 'stopped';
