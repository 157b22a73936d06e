import type { ErrorFacts } from './class.ts';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of virtual TPMs of Google Compute Engine, beside those of quotes, in the order in which the checks run. */
export const gcpVtpmErrors = Object.freeze({
  GCP_VTPM_INSTANCE_INFO: invalid(
    'The certificate of the attestation key does not say which instance the key belongs to.',
    'Send the certificate that Google stores for the attestation key of the instance (NV index 0x01c10000 or 0x01c10002).',
  ),
  GCP_VTPM_NOT_PRODUCTION: invalid(
    "The attestation key was not issued by Google's production environment.",
    'Run on an ordinary instance of Google Compute Engine.',
  ),
  GCP_VTPM_PROJECT_NOT_ALLOWED: denied(
    'The instance belongs to a project that the policy does not list.',
    'Add the project to policy.gcpVtpm.projects, or run in a listed one.',
  ),
  GCP_VTPM_ZONE_NOT_ALLOWED: denied(
    'The instance runs in a zone that the policy does not list.',
    'Add the zone to policy.gcpVtpm.zones, or run in a listed one.',
  ),
  GCP_VTPM_INSTANCE_NOT_ALLOWED: denied(
    'The instance is not on the list of allowed instances.',
    'Add the instance to policy.gcpVtpm.instances.allow, or run on a listed one.',
  ),
  GCP_VTPM_INSTANCE_DENIED: denied('The instance is on the list of denied instances.', 'Run on another instance.'),
} as const satisfies Record<string, ErrorFacts>);
