import type { ErrorFacts } from './class.ts';

const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of Azure Attestation tokens, in the order in which the checks run; beside those of all tokens. */
export const azureMaaErrors = Object.freeze({
  MAA_CLAIM: {
    class: 'invalid',
    message: 'A claim of the token is missing or not of its documented shape.',
    next: 'Check that the instance of the service passes its standard claims on.',
  },
  MAA_VERSION: {
    class: 'not-mine',
    message: 'The token follows another version of the claim set.',
    next: 'Update Fastness, or ask the service for version 1.0.',
  },
  MAA_NESTED: denied(
    'The token is for a nested guest, and the policy does not accept any.',
    'Allow nested guests in policy.azureMaa.nested if the paravisor of Azure may be trusted.',
  ),
  MAA_NOT_ISOLATED: denied(
    'The token is for a virtual machine without a TEE.',
    'Run on a confidential virtual machine.',
  ),
  MAA_TEE_NOT_ALLOWED: denied(
    'The token is for a kind of TEE that the policy does not list.',
    'Compare it with policy.azureMaa.tees.',
  ),
  MAA_POLICY_NOT_ALLOWED: denied(
    'The service applied a policy that is not on the list.',
    'Restore the policy of the instance, or list the hash of the new one.',
  ),
  MAA_SECURE_BOOT: denied(
    'The guest was not booted with Secure Boot, or with debuggers enabled.',
    'Enable Secure Boot and disable debuggers in the guest.',
  ),
  MAA_NOT_COMPLIANT: denied(
    'The service does not call the virtual machine compliant.',
    'See why in the service; list the status only if you know what it means.',
  ),
  MAA_DEBUG: denied(
    'The TEE can be debugged.',
    'Run without debugging; for development only, waive MAA_DEBUG by name.',
  ),
  MAA_MEASUREMENT_NOT_ALLOWED: denied(
    'The measurement is not one that the policy accepts.',
    'Run what was measured, or add its measurement to the policy.',
  ),
  MAA_SIGNER_NOT_ALLOWED: denied(
    'The enclave is not from a signer that the policy lists.',
    'Compare MRSIGNER with policy.azureMaa.signers.',
  ),
  MAA_RTMR_NOT_ALLOWED: denied(
    'A run-time register does not hold a value that the policy lists for it.',
    'Compare the register with policy.azureMaa.rtmrs.',
  ),
  MAA_MIGRATION: denied(
    'The guest may be migrated.',
    'Start it without a migration agent, or waive MAA_MIGRATION by name.',
  ),
  MAA_TCB_LOW: denied(
    'A security version number is below the floor of the policy.',
    'Ask the provider to update the platform, or lower policy.azureMaa.minimumTcb.',
  ),
  MAA_HOST_DATA_NOT_ALLOWED: denied(
    'The host data is not on the list.',
    'Compare it with policy.azureMaa.hostData; container groups put the digest of their policy there.',
  ),
} as const satisfies Record<string, ErrorFacts>);
