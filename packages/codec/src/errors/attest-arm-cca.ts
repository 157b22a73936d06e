import type { ErrorFacts } from './class.ts';

const recollect = 'Ask the RMM for a new token; if it persists, the token is forged or was damaged on the way.';
const distrust =
  'Do not trust this realm: the token is forged or was assembled from parts that do not belong together.';
const endorse =
  'List the key of this platform in policy.armCca.keys, or send a CoRIM by a signer of policy.armCca.corimSigners.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;
const notMine = (message: string, next: string) => ({ class: 'not-mine', message, next }) as const;

/** Codes of Arm CCA attestation tokens, in the order in which the checks run. */
export const armCcaErrors = Object.freeze({
  // parse: the collection and its two COSE messages
  CCA_TOKEN_SIZE: invalid('The token is empty or larger than this reader accepts.', recollect),
  CCA_COLLECTION: notMine(
    'The token is no CCA collection: a map with tag 399 or 907.',
    'Pass the token as RSI_ATTESTATION_TOKEN_CONTINUE returned it.',
  ),
  CCA_COLLECTION_MEMBER: invalid('The collection does not hold one platform token and one realm token.', recollect),
  CCA_MESSAGE_TAG: invalid('The platform token or the realm token is not tagged as COSE_Sign1 (18).', recollect),
  CCA_ALGORITHM: invalid('The platform token or the realm token is not signed with ES256, ES384 or ES512.', recollect),
  CCA_HEADER: notMine(
    'A header holds a parameter that is not read, for instance a certificate chain.',
    'Use a raw platform key, looked up by instance id; certified keys (x5chain) are not read.',
  ),
  CCA_PAYLOAD: invalid('The platform token or the realm token has no claims.', recollect),

  // parse: platform claims
  CCA_PLATFORM_PROFILE: notMine(
    'The platform token follows no profile that this reader knows.',
    'See armCcaProfiles for those that are read.',
  ),
  CCA_PLATFORM_CLAIM_MISSING: invalid('A mandatory claim of the platform token is missing.', recollect),
  CCA_PLATFORM_CHALLENGE: invalid('The challenge of the platform token is not 32, 48 or 64 bytes long.', recollect),
  CCA_INSTANCE_ID: invalid('The instance id is not a UEID of kind RAND: 0x01 and 32 bytes.', recollect),
  CCA_IMPLEMENTATION_ID: invalid('The implementation id is not 32 bytes long.', recollect),
  CCA_LIFECYCLE_VALUE: invalid('The security lifecycle is not one of the defined states.', recollect),
  CCA_CONFIGURATION: invalid('The platform configuration is empty, too long or not bytes.', recollect),
  CCA_SOFTWARE_COMPONENTS: invalid('The software components of the platform are empty or malformed.', recollect),
  CCA_PLATFORM_HASH: invalid('The hash algorithm of the platform token is not a known name.', recollect),
  CCA_VERIFICATION_SERVICE: invalid('The verification service indicator is empty, too long or not text.', recollect),
  CCA_CLIENT_ID: invalid('The platform token was not made for the realm management firmware.', distrust),

  // parse: realm claims
  CCA_REALM_PROFILE: notMine(
    'The realm token follows no profile that goes with the profile of the platform token.',
    'See armCcaProfiles for the pairs that are read.',
  ),
  CCA_REALM_CLAIM_MISSING: invalid('A mandatory claim of the realm token is missing.', recollect),
  CCA_CHALLENGE: invalid('The challenge of the realm token is not 64 bytes long.', recollect),
  CCA_PERSONALIZATION: invalid('The personalization value of the realm is not 64 bytes long.', recollect),
  CCA_REALM_HASH: invalid('The hash algorithm of the realm token is not a known name.', recollect),
  CCA_MEASUREMENT: invalid('A measurement of the realm is missing or not 32, 48 or 64 bytes long.', recollect),
  CCA_RAK: invalid('The realm key is not an EC key in the form that the profile of the realm token uses.', recollect),
  CCA_RAK_HASH: invalid('The hash algorithm of the realm key is not a known name.', recollect),
  CCA_REALM_POLICY: invalid(
    'An optional claim of the realm token (MEC, LFA, instance, devices) is malformed.',
    recollect,
  ),

  // authenticate
  CCA_KEY_UNKNOWN: denied('Nobody endorses a platform key for this instance id.', endorse),
  CCA_IMPLEMENTATION_MISMATCH: invalid(
    'The key of this instance id is endorsed for another implementation id.',
    distrust,
  ),
  CCA_KEY_AMBIGUOUS: invalid('Two different keys are endorsed for this instance id.', endorse),
  CCA_KEY_TYPE: invalid(
    'The endorsed key is not of the curve that the algorithm of the platform token asks for.',
    distrust,
  ),
  CCA_PLATFORM_SIGNATURE: invalid(
    'The platform token is not signed by the endorsed key of this instance id.',
    distrust,
  ),
  CCA_BINDING: invalid('The challenge of the platform token is not the hash of the realm key.', distrust),
  CCA_RAK_TYPE: invalid('The realm key is not of the curve that the algorithm of the realm token asks for.', distrust),
  CCA_REALM_SIGNATURE: invalid('The realm token is not signed by the realm key.', distrust),

  // appraise
  CCA_CHALLENGE_MISMATCH: denied(
    'The realm token does not carry the expected challenge.',
    'Ask for a token made for this session.',
  ),
  CCA_LIFECYCLE: denied(
    'The platform is not in a state in which its reports can be trusted.',
    'Run on a platform in lifecycle state "secured".',
  ),
  CCA_DEBUG: denied(
    'Debugging is enabled outside the platform root of trust, for instance of the RMM.',
    'Run on a platform without debugging; for development only, waive CCA_DEBUG by name.',
  ),
  CCA_IMPLEMENTATION_NOT_ALLOWED: denied(
    'The implementation id is not on the list of the policy.',
    'Add it to policy.armCca.implementationIds, or run on another platform.',
  ),
  CCA_INSTANCE_NOT_ALLOWED: denied(
    'The platform is not on the list of allowed instances.',
    'Add it to policy.armCca.instances.allow, or run on a listed one.',
  ),
  CCA_INSTANCE_DENIED: denied('The platform is on the list of denied instances.', 'Run on another platform.'),
  CCA_PLATFORM_EXTENDED: denied(
    'Components were added to the platform at run time.',
    'Run on a platform without such components, or set policy.armCca.allowPlatformExtensions.',
  ),
  CCA_REFERENCE_MISSING: denied(
    'Neither the policy nor a CoRIM has reference values for the firmware of this implementation id.',
    'Fill in policy.armCca.references or send a CoRIM; where no vendor publishes any, waive CCA_REFERENCE_MISSING by name.',
  ),
  CCA_SOFTWARE_NOT_ALLOWED: denied(
    'The software components of the platform are not those of any reference state.',
    'Update the firmware of the platform, or add its reference values.',
  ),
  CCA_CONFIGURATION_NOT_ALLOWED: denied(
    'The configuration of the platform is not that of the reference state of its software.',
    'Compare the configuration with the reference value; memory protection is among what it says.',
  ),
  CCA_MEASUREMENT_NOT_ALLOWED: denied(
    'The initial measurement of the realm is not one that the policy accepts.',
    'Run a realm of a current release, or add its measurement to the policy.',
  ),
  CCA_REALM_HASH_NOT_ALLOWED: denied(
    'The realm is measured with a hash algorithm that the policy does not list.',
    'Create the realm with a listed algorithm; see policy.armCca.hashAlgorithms.',
  ),
  CCA_REM_NOT_ALLOWED: denied(
    'An extensible measurement of the realm does not hold a value that the policy lists for it.',
    'Compare the register with policy.armCca.rems; the detail names its index.',
  ),
  CCA_PERSONALIZATION_NOT_ALLOWED: denied(
    'The personalization value of the realm is not one that the policy lists.',
    'Compare it with policy.armCca.personalizationValues; the host chooses it when it creates the realm.',
  ),
  CCA_MEC_NOT_PRIVATE: denied(
    'The memory of the realm is not encrypted under a key of its own, or its token does not say.',
    'Create the realm with a private memory encryption context, or take requirePrivateMec out of the policy.',
  ),
} as const satisfies Record<string, ErrorFacts>);
