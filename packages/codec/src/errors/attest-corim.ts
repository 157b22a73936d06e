import type { ErrorFacts } from './class.ts';

const reissue =
  'Ask whoever issued the manifest for one that follows its profile; the detail names the member at fault.';
const distrust = 'Do not use this manifest: it was not signed by anybody the verifier trusts, or it was changed since.';
const rewrite =
  'Write the requirement into the policy by hand, or ask for a manifest that says no more than can be mapped.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;
const notMine = (message: string, next: string) => ({ class: 'not-mine', message, next }) as const;

/** Codes of CoRIMs (reference integrity manifests), in the order in which the checks run. */
export const corimErrors = Object.freeze({
  // open: the envelope and whoever answers for it
  CORIM_SIZE: invalid('The manifest is empty or larger than this reader accepts.', reissue),
  CORIM_TYPE: notMine(
    'The bytes are no CoRIM: neither tag 501 nor COSE_Sign1 with tag 18.',
    'Pass the manifest as it was published; older wrappers (tags 500 and 502) are not read.',
  ),
  CORIM_UNSIGNED: denied(
    'The manifest is not signed, and nobody else answers for it.',
    'Send a signed manifest, or, where its origin is known otherwise, import it with importCorim as a part of the policy.',
  ),
  CORIM_HEADER: invalid('The protected header does not say that the payload is a CoRIM and who signed it.', reissue),
  CORIM_ALGORITHM: invalid('The manifest is signed with an algorithm that is not read.', reissue),
  CORIM_PAYLOAD: invalid('The signed manifest has no payload, or one that is no CoRIM.', reissue),
  CORIM_SIGNATURE: invalid('No pinned key signed the manifest.', distrust),
  CORIM_SIGNATURE_VALIDITY: invalid(
    'The signature of the manifest is not valid at this time.',
    'Fetch the current manifest, and check the clock of this machine.',
  ),

  // read: the general data model
  CORIM_MAP: invalid('A member of the manifest is missing, unknown or of the wrong type.', reissue),
  CORIM_PROFILE_UNKNOWN: notMine(
    'The manifest follows no profile or one that this reader does not know.',
    'See corimProfiles for those that are read; a manifest of an unknown profile must be refused as a whole.',
  ),
  CORIM_VALIDITY: invalid(
    'The manifest is not valid at this time.',
    'Fetch the current manifest, and check the clock of this machine.',
  ),
  CORIM_TAG_UNSUPPORTED: notMine(
    'The manifest holds a tag other than a CoMID, or links between tags, which are not read.',
    'Ask for a manifest that consists of CoMIDs alone.',
  ),
  CORIM_TRIPLE: invalid('A triple of the manifest does not have the shape of its kind.', reissue),
  CORIM_ENVIRONMENT: invalid('An environment is empty or has an identifier of an unknown kind.', reissue),
  CORIM_MEASUREMENT: invalid('A measurement does not have the shape that the data model gives it.', reissue),
  CORIM_DIGESTS: invalid('Digests are missing, doubled, of an unknown algorithm or of the wrong length.', reissue),
  CORIM_KEY: invalid('A key is not of a kind, or not a key, that the profile allows.', reissue),

  // profiles
  CORIM_CLASS: invalid('The class of an environment is not the identifier that the profile asks for.', reissue),
  CORIM_INSTANCE: invalid('The instance of an environment is missing, of the wrong kind or out of place.', reissue),
  CORIM_MKEY: invalid('A measurement is not named as the profile names its measurements.', reissue),
  CORIM_AUTHORITY: invalid('A measurement or key is tied to an authority, which the profile forbids.', reissue),
  CORIM_SIGNER_ID: invalid('A software component has no signer id of 32, 48 or 64 bytes.', reissue),
  CORIM_VERSION: invalid('The version of a software component is not the text that the profile allows.', reissue),
  CORIM_RAW_VALUE: invalid('A raw value is missing, has the wrong length or a mask of another length.', reissue),
  CORIM_VALUES: invalid(
    'A measurement has a value that its profile does not define, so it could not be compared.',
    reissue,
  ),
  CORIM_DOUBLED: invalid('A measurement, or the key of an instance, is given twice.', reissue),
  CORIM_RIM: invalid('A realm has no initial measurement, or another one than its environment names.', reissue),
  CORIM_PROFILE_UNEXPECTED: denied(
    'The manifest follows a profile that cannot endorse this kind of evidence.',
    'Send the manifest of the platform; import one of realms or guests with importCorim into the policy.',
  ),
  CORIM_NOT_MAPPABLE: notMine('The manifest says something that no policy here can express.', rewrite),
  CORIM_EMPTY: invalid('The manifest holds nothing that its profile gives a meaning to.', reissue),
} as const satisfies Record<string, ErrorFacts>);
