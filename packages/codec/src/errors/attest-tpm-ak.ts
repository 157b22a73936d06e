import type { ErrorFacts } from './class.ts';

const distrust = 'Do not trust this machine: the certificates are forged or do not belong together.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const unavailable = (message: string, next: string) => ({ class: 'unavailable', message, next }) as const;

/** Codes of the certificates of attestation keys (Google, Azure), in the order in which the checks run. */
export const tpmAkErrors = Object.freeze({
  TPM_AK_ROOT_NOT_PINNED: invalid('The certificates of the attestation key do not end in a pinned root key.', distrust),
  TPM_AK_ISSUER_MISSING: unavailable(
    'A certificate above the attestation key is missing.',
    'Send every certificate up to the root; the detail says whose issuer is missing.',
  ),
  TPM_AK_CERTIFICATE_EXTENSION: {
    class: 'not-mine',
    message: 'A certificate of the chain has a critical extension that this verifier does not know.',
    next: 'Update Fastness; guessing what the extension means would be unsafe.',
  },
  TPM_AK_AUTHORITY_CONSTRAINTS: invalid(
    'A certificate above the attestation key may not issue certificates.',
    distrust,
  ),
  TPM_AK_PATH_LENGTH: invalid('The chain is longer than an authority in it permits.', distrust),
  TPM_AK_LEAF_CONSTRAINTS: invalid(
    'The certificate of the attestation key may not sign, or is an authority.',
    'Send the certificate of the attestation key, not that of the endorsement key.',
  ),
  TPM_AK_PURPOSE: invalid(
    'A certificate of the chain was issued for another purpose than keys of TPMs.',
    'Send the certificate of the attestation key and those above it.',
  ),
  TPM_AK_ROOT_SIGNATURE: invalid('The root certificate is not signed by its own key.', distrust),
  TPM_AK_INTERMEDIATE_SIGNATURE: invalid('An intermediate certificate is not signed by its issuer.', distrust),
  TPM_AK_LEAF_SIGNATURE: invalid('The certificate of the attestation key is not signed by its issuer.', distrust),
  TPM_AK_ROOT_VALIDITY: invalid('The root certificate is not valid at this time.', 'Check the clock of this machine.'),
  TPM_AK_INTERMEDIATE_VALIDITY: invalid(
    'An intermediate certificate is not valid at this time.',
    'Fetch the certificate that replaced it. Check the clock of this machine too.',
  ),
  TPM_AK_LEAF_VALIDITY: invalid(
    'The certificate of the attestation key is not valid at this time.',
    'Let the provider renew it. Check the clock of this machine too.',
  ),
  TPM_AK_CRL_MISSING: unavailable(
    'A certificate names a revocation list, and no list of its issuer was sent.',
    'Fetch the list from the distribution point and send it with the evidence.',
  ),
  TPM_AK_CRL_SIGNATURE: invalid('A revocation list is not signed by its issuer.', 'Fetch the list again.'),
  TPM_AK_CRL_NOT_YET_VALID: invalid(
    'The latest revocation list is dated in the future.',
    'Check the clock of this machine.',
  ),
  TPM_AK_CRL_EXPIRED: invalid(
    'The latest revocation list is out of date, or does not say until when it holds.',
    'Fetch the current list.',
  ),
  TPM_AK_CERTIFICATE_REVOKED: invalid(
    'A certificate above the attestation key, or its own, is revoked.',
    'Do not trust this machine until it has a new attestation key.',
  ),
} as const satisfies Record<string, ErrorFacts>);
