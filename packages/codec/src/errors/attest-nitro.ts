import type { ErrorFacts } from './class.ts';

const recollect =
  'Ask the NSM or NitroTPM for a new document; if it persists, the document is forged or was damaged on the way.';
const distrust =
  'Do not trust this machine: the document is forged or was assembled from parts that do not belong together.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;

/** Codes of AWS Nitro attestation documents (enclaves and NitroTPM), in the order in which the checks run. */
export const nitroErrors = Object.freeze({
  // parse: the COSE message
  NITRO_DOCUMENT_SIZE: invalid('The attestation document is larger than its format allows.', recollect),
  NITRO_ALGORITHM: invalid('The document is not signed with ES384 (COSE algorithm -35).', recollect),
  NITRO_HEADER: invalid('The headers of the document hold more than the algorithm.', recollect),
  NITRO_PAYLOAD_MISSING: invalid('The document has no payload.', recollect),

  // parse: the payload
  NITRO_PAYLOAD_TYPE: invalid('The payload of the document is not a CBOR map.', recollect),
  NITRO_KIND_MISMATCH: {
    class: 'not-mine',
    message: 'The document is of another kind (enclave or NitroTPM) than its media type says.',
    next: 'Send documents of enclaves and of NitroTPM under the media type of their kind.',
  },
  NITRO_FIELD_MISSING: invalid('A mandatory field of the document is missing.', recollect),
  NITRO_FIELD_UNKNOWN: invalid('The document has a field that its specification does not allow.', recollect),
  NITRO_MODULE_ID: invalid('The module id of the document is empty, too long or not text.', recollect),
  NITRO_DIGEST: invalid('The registers of the document are not SHA-384 digests.', recollect),
  NITRO_TIMESTAMP: invalid('The timestamp of the document is not a time.', recollect),
  NITRO_PCRS: invalid('The registers of the document are no map of indexes from 0 to 31.', recollect),
  NITRO_PCR_SIZE: invalid('A register of the document is not 48 bytes long.', recollect),
  NITRO_CERTIFICATE_SIZE: invalid('The certificate of the document is empty, too long or not bytes.', recollect),
  NITRO_CABUNDLE: invalid(
    'The certificate bundle of the document is empty, too long or no list of certificates.',
    recollect,
  ),
  NITRO_PUBLIC_KEY_SIZE: invalid('The public key of the document is empty, too long or not bytes.', recollect),
  NITRO_USER_DATA_SIZE: invalid('The user data of the document is too long or not bytes.', recollect),
  NITRO_NONCE_SIZE: invalid('The nonce of the document is too long or not bytes.', recollect),

  // authenticate
  NITRO_ROOT_NOT_PINNED: invalid('The first certificate of the bundle does not hold a pinned root key.', distrust),
  NITRO_CHAIN_NAMES: invalid('A certificate was not issued by the one before it in the bundle.', distrust),
  NITRO_CERTIFICATE_KEY: invalid('A certificate of the chain does not hold a P-384 key.', distrust),
  NITRO_CERTIFICATE_ALGORITHM: invalid('A certificate of the chain is not signed with ECDSA and SHA-384.', distrust),
  NITRO_CERTIFICATE_EXTENSION: {
    class: 'not-mine',
    message: 'A certificate of the chain has a critical extension that this verifier does not know.',
    next: 'Update Fastness; guessing what the extension means would be unsafe.',
  },
  NITRO_AUTHORITY_CONSTRAINTS: invalid('A certificate of the bundle may not issue certificates.', distrust),
  NITRO_PATH_LENGTH: invalid('The chain is longer than an authority in it permits.', distrust),
  NITRO_LEAF_CONSTRAINTS: invalid(
    'The certificate of the document may not sign documents, or is an authority.',
    distrust,
  ),
  NITRO_ROOT_SIGNATURE: invalid('The root certificate is not signed by its own key.', distrust),
  NITRO_INTERMEDIATE_SIGNATURE: invalid('An intermediate certificate is not signed by its issuer.', distrust),
  NITRO_LEAF_SIGNATURE: invalid('The certificate of the document is not signed by its issuer.', distrust),
  NITRO_DOCUMENT_SIGNATURE: invalid('The document is not signed by its certificate.', distrust),
  NITRO_ROOT_VALIDITY: invalid('The root certificate is not valid at this time.', 'Check the clock of this machine.'),
  NITRO_INTERMEDIATE_VALIDITY: invalid('An intermediate certificate is not valid at this time.', recollect),
  NITRO_LEAF_VALIDITY: invalid(
    'The certificate of the document is not valid at this time.',
    'Ask for a new document: its certificate lives for three hours. Check the clock of this machine too.',
  ),
  NITRO_LEAF_LIFETIME: invalid('The certificate of the document lives for more than a day.', distrust),
  NITRO_MODULE_MISMATCH: invalid('The certificate was not issued to the module that the document names.', distrust),

  // appraise
  NITRO_REPORT_DATA_MISMATCH: denied(
    'The document does not bind the expected report data.',
    'Ask for a document made for this session; check policy.nitro.binding for the field that carries it.',
  ),
  NITRO_NONCE_MISMATCH: denied(
    'The nonce of the document is not the expected one.',
    'Ask for a document made for this session.',
  ),
  NITRO_TIMESTAMP_FUTURE: denied('The document is dated in the future.', 'Check the clock of this machine.'),
  NITRO_TIMESTAMP_STALE: denied(
    'The document is older than the policy allows.',
    'Ask for a new document, or raise policy.nitro.maxAgeSeconds.',
  ),
  NITRO_PCR_MISSING: denied(
    'The document lacks a register that must be checked.',
    'Lock the register in the enclave, or take it out of the policy.',
  ),
  NITRO_DEBUG: denied(
    'PCR0 is zero: the enclave runs in debug mode, or nothing was measured.',
    'Start the enclave without --debug-mode; for development only, waive NITRO_DEBUG by name.',
  ),
  NITRO_MEASUREMENT_NOT_ALLOWED: denied(
    'The measured image is not one that the policy accepts.',
    'Run an image of a current release, or add its measurement to the policy.',
  ),
  NITRO_PCR_NOT_ALLOWED: denied(
    'A register does not hold a value that the policy lists for it.',
    'Compare the register with policy.nitro.pcrs; the detail names its index.',
  ),
  NITRO_INSTANCE_UNKNOWN: denied(
    'The policy lists instances, and the module id does not name one.',
    'Take the instance lists out of the policy, or run where module ids name their instance.',
  ),
  NITRO_INSTANCE_NOT_ALLOWED: denied(
    'The EC2 instance is not on the list of allowed instances.',
    'Add the instance to policy.nitro.instances.allow, or run on a listed one.',
  ),
  NITRO_INSTANCE_DENIED: denied('The EC2 instance is on the list of denied instances.', 'Run on another instance.'),
} as const satisfies Record<string, ErrorFacts>);
