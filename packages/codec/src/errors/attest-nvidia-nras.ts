import type { ErrorFacts } from './class.ts';

const reissue = 'Attest the devices again; if it persists, the bundle was assembled from parts of others.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of detached EATs of NRAS, in the order in which the checks run; beside those of all tokens. */
export const nvidiaNrasErrors = Object.freeze({
  NRAS_CLAIM: invalid(
    'A claim of the token is missing or not of its documented shape.',
    'Attest the devices again; if it persists, the service changed its claims: update Fastness.',
  ),
  NRAS_VERSION: {
    class: 'not-mine',
    message: 'The token follows another version of the claims, or is about something else than a platform.',
    next: 'Update Fastness, or ask the service for version 3.0.',
  },
  NRAS_OVERALL: denied('The service did not find all devices trustworthy.', 'See the claims of each device for why.'),
  NRAS_SUBMODULES: invalid('The devices in the bundle are not those that the token names.', reissue),
  NRAS_SUBMODULE_DIGEST: invalid('The token of a device is not the one whose digest was signed.', reissue),
  NRAS_DEVICE_NONCE: denied('A device was not attested for this session.', 'Attest all devices over one nonce.'),
  NRAS_KIND_NOT_ALLOWED: denied(
    'A device is of a kind that the policy does not list.',
    'Compare it with policy.nvidiaNras.kinds.',
  ),
  NRAS_DEVICE_CHECK: denied(
    'The service did not verify everything about a device.',
    'The detail names the check; update driver or firmware, or attest again.',
  ),
  NRAS_CERTIFICATES: denied(
    'A certificate chain of a device or of its references is not valid or not good.',
    'The detail names the chain; a held or revoked certificate means: do not use the device.',
  ),
  NRAS_MEASUREMENTS: denied(
    "The measurements of a device do not match NVIDIA's references.",
    'Do not use the device until driver and firmware are genuine.',
  ),
  NRAS_SECURE_BOOT: denied('A device was not booted securely.', 'Do not use the device.'),
  NRAS_DEBUG: denied('A device is in debug mode.', 'Turn it off; for development only, waive NRAS_DEBUG by name.'),
  NRAS_WARNING: denied(
    'The service attached a warning to a device.',
    'Read it in the detail; accept warnings in the policy only if you know them.',
  ),
  NRAS_MODEL_NOT_ALLOWED: denied(
    'A device is of a model that the policy does not list.',
    'Compare it with policy.nvidiaNras.models.',
  ),
  NRAS_DRIVER_NOT_ALLOWED: denied(
    'A GPU runs a driver that the policy does not list.',
    'Compare it with policy.nvidiaNras.drivers.',
  ),
  NRAS_FIRMWARE_NOT_ALLOWED: denied(
    'A device runs firmware that the policy does not list.',
    'Compare it with policy.nvidiaNras.firmware.',
  ),
  NRAS_DEVICE_COUNT: denied(
    'More or fewer devices were attested than the policy asks for.',
    'Attest every device of the machine, and no other.',
  ),
  NRAS_DEVICE_TWICE: invalid('One device was attested twice under two names.', reissue),
  NRAS_DEVICE_NOT_ALLOWED: denied(
    'A device is not on the list of allowed devices.',
    'Add it to policy.nvidiaNras.devices.allow, or use a listed one.',
  ),
  NRAS_DEVICE_DENIED: denied('A device is on the list of denied devices.', 'Use another device.'),
} as const satisfies Record<string, ErrorFacts>);
