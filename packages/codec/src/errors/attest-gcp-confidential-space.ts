import type { ErrorFacts } from './class.ts';

const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of Confidential Space tokens, in the order in which the checks run; beside those of all tokens. */
export const gcpConfidentialSpaceErrors = Object.freeze({
  GCS_CLAIM: {
    class: 'invalid',
    message: 'A claim of the token is missing or not of its documented shape.',
    next: 'Ask for a new token; if it persists, the service changed its claims: update Fastness.',
  },
  GCS_PROFILE: {
    class: 'not-mine',
    message: "The token does not follow Google's profile for Confidential Space.",
    next: 'Send tokens of Confidential Space under its media type, and those of others under theirs.',
  },
  GCS_SOFTWARE: denied(
    'The machine does not run an image of Confidential Space.',
    'Start the workload from a Confidential Space image.',
  ),
  GCS_HARDWARE_NOT_ALLOWED: denied(
    'The hardware is not one that the policy accepts.',
    'Run on hardware that policy.gcpConfidentialSpace.hardware lists; a Shielded VM protects no memory.',
  ),
  GCS_SECURE_BOOT: denied('The machine was not booted with Secure Boot.', 'Enable Secure Boot.'),
  GCS_DEBUG: denied(
    'The image is a debug image, or was debugged since it booted.',
    'Use the production image; for development only, waive GCS_DEBUG by name.',
  ),
  GCS_TCB_STATUS_NOT_ALLOWED: denied(
    'The TCB of the platform has a status that the policy does not accept.',
    'Wait for Google to update the platform, or accept the status knowingly.',
  ),
  GCS_SUPPORT: denied(
    'The image does not have the support attribute that the policy asks for.',
    'Use a current image; old ones lose STABLE and then USABLE.',
  ),
  GCS_VERSION_LOW: denied(
    'The image of Confidential Space is older than the policy allows.',
    'Use a newer image, or lower policy.gcpConfidentialSpace.minimumVersion.',
  ),
  GCS_MEASUREMENT_NOT_ALLOWED: denied(
    'The container image is not one that the policy accepts.',
    'Run an image of a current release, or add its digest to the policy.',
  ),
  GCS_OVERRIDDEN: denied(
    'The operator replaced the command or the environment of the image.',
    'Build command and environment into the image, or accept overrides knowingly.',
  ),
  GCS_ARGUMENTS_NOT_ALLOWED: denied(
    'The command line of the container is not the one in the policy.',
    'Compare it with policy.gcpConfidentialSpace.arguments.',
  ),
  GCS_PROJECT_NOT_ALLOWED: denied(
    'The instance runs in a project that the policy does not list.',
    'Compare it with policy.gcpConfidentialSpace.projects.',
  ),
  GCS_ZONE_NOT_ALLOWED: denied(
    'The instance runs in a zone that the policy does not list.',
    'Compare it with policy.gcpConfidentialSpace.zones.',
  ),
  GCS_SERVICE_ACCOUNT_NOT_ALLOWED: denied(
    'The workload does not run as a service account that the policy lists.',
    'Compare them with policy.gcpConfidentialSpace.serviceAccounts.',
  ),
} as const satisfies Record<string, ErrorFacts>);
