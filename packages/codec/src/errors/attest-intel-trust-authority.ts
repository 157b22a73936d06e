import type { ErrorFacts } from './class.ts';

const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of Intel Trust Authority tokens, in the order in which the checks run; beside those of all tokens. */
export const intelTrustAuthorityErrors = Object.freeze({
  ITA_CLAIM: {
    class: 'invalid',
    message: 'A claim of the token is missing or not of its documented shape.',
    next: 'Ask the service for a new token; if it persists, the service changed its claims: update Fastness.',
  },
  ITA_VERSION: {
    class: 'not-mine',
    message: 'The token follows another version of the claim set.',
    next: 'Update Fastness, or ask the service for version 1 or 2.',
  },
  ITA_AMBIGUOUS: {
    class: 'invalid',
    message: 'The token speaks of no TEE, or of several at once.',
    next: 'Ask for one token for each TEE.',
  },
  ITA_TEE_NOT_ALLOWED: denied(
    'The token is for a kind of TEE that the policy does not list.',
    'Compare it with policy.intelTrustAuthority.tees.',
  ),
  ITA_TCB_STATUS_NOT_ALLOWED: denied(
    'The TCB of the platform has a status that the policy does not accept.',
    'Update the platform, or accept the status knowingly.',
  ),
  ITA_ADVISORY_NOT_ALLOWED: denied(
    'The platform is subject to an advisory that the policy does not tolerate.',
    'Update the platform, or tolerate the advisory knowingly.',
  ),
  ITA_POLICY_NOT_MATCHED: denied(
    'The evidence did not match a policy of the service that is asked for.',
    'Have the service apply the policies that policy.intelTrustAuthority.policyIds lists.',
  ),
  ITA_DEBUG: denied(
    'The TEE can be debugged.',
    'Run without debugging; for development only, waive ITA_DEBUG by name.',
  ),
  ITA_MEASUREMENT_NOT_ALLOWED: denied(
    'The measurement is not one that the policy accepts.',
    'Run what was measured, or add its measurement to the policy.',
  ),
  ITA_MIGRATION: denied('The TD may be migrated.', 'Start it without a migration TD, or waive ITA_MIGRATION by name.'),
  ITA_SIGNER_NOT_ALLOWED: denied(
    'The enclave is not from a signer that the policy lists.',
    'Compare MRSIGNER with policy.intelTrustAuthority.signers.',
  ),
  ITA_SEPT_VE: denied(
    'The TD lets its host inject faults (SEPT_VE_DISABLE is not set).',
    'Start the TD with SEPT_VE_DISABLE, or accept any in the policy.',
  ),
  ITA_RTMR_NOT_ALLOWED: denied(
    'A run-time register does not hold a value that the policy lists for it.',
    'Compare the register with policy.intelTrustAuthority.rtmrs.',
  ),
} as const satisfies Record<string, ErrorFacts>);
