import type { ErrorFacts } from './class.ts';

/** Codes of model signatures (OpenSSF Model Signing), releases and approvals; part of the area `model`. */
export const releaseErrors = Object.freeze({
  OMS_MALFORMED: {
    class: 'invalid',
    message: 'The model signature is not a well-formed Sigstore bundle.',
    next: 'Fetch the signature file again; it is damaged or something else.',
  },
  OMS_LIMIT: {
    class: 'limit',
    message: 'The model signature is larger than this reader accepts.',
    next: 'Check where it came from; sign with fewer resources (method "files" rather than small shards).',
  },
  OMS_METHOD_UNSUPPORTED: {
    class: 'not-mine',
    message: 'The model was signed by a method that is not verified here (keyless Sigstore).',
    next: 'Verify it with the OpenSSF Model Signing tool, or have it signed with a key or a certificate.',
  },
  OMS_METHOD_MISMATCH: {
    class: 'denied',
    message: 'The model was signed by another method than the one you asked to verify.',
    next: 'Verify a signature that names only a key with public keys; root certificates are for signatures by certificate.',
  },
  OMS_PRE_1_0: {
    class: 'not-mine',
    message: 'The model signature uses the envelope from before version 1.0, which does not bind what it seems to.',
    next: 'Have the model signed again with a current tool.',
  },
  OMS_PAYLOAD_TYPE: {
    class: 'not-mine',
    message: 'The signed payload is not an in-toto model statement.',
    next: 'Check that this is a model signature and not the signature of something else.',
  },
  OMS_STATEMENT: {
    class: 'invalid',
    message: 'The signed statement does not follow the model signing format.',
    next: 'Have the model signed again; its signer wrote a statement that verifiers cannot rely on.',
  },
  OMS_SERIALIZATION_UNSUPPORTED: {
    class: 'not-mine',
    message: 'The model was hashed by a method or function that is not supported here.',
    next: 'Sign with the method "files" or "shards" and SHA-256.',
  },
  OMS_ROOT_DIGEST: {
    class: 'invalid',
    message: 'The digest over all resources is not the one the statement names.',
    next: 'Have the model signed again; its statement contradicts itself.',
  },
  OMS_RESOURCE_NAME: {
    class: 'invalid',
    message: 'A resource has a name that could lead outside the model or be read in two ways.',
    next: 'Rename the file; names are relative, with forward slashes, without "." and ".." parts.',
  },
  OMS_RESOURCE_DUPLICATE: {
    class: 'invalid',
    message: 'The statement lists the same resource twice.',
    next: 'Have the model signed again; its statement is ambiguous.',
  },
  OMS_KEY_UNSUPPORTED: {
    class: 'usage',
    message: 'The public key is not one that model signatures can be verified with.',
    next: 'Give SubjectPublicKeyInfo DER of a P-256, P-384 or P-521 key (approvers may also use Ed25519).',
  },
  OMS_KEY_UNKNOWN: {
    class: 'denied',
    message: 'The model was signed with a key that is not among those you trust.',
    next: 'Compare the fingerprint with the signer; trust the key only when they confirm it by another way.',
  },
  OMS_SIGNATURE: {
    class: 'invalid',
    message: 'No signature over the statement verifies.',
    next: 'Do not use the model; fetch it and its signature again from its owner.',
  },
  OMS_CERTIFICATE_CHAIN: {
    class: 'invalid',
    message: 'The signing certificate does not lead to a root that you trust.',
    next: 'Check the root certificates you gave, and the chain inside the signature.',
  },
  OMS_CERTIFICATE_KEY: {
    class: 'usage',
    message: 'The certificate is for another key than the one that signs.',
    next: 'Give the certificate of this key first (`fastness keys public ID --store STORE` prints the key), then those that lead to its root.',
  },
  OMS_CERTIFICATE_TIME: {
    class: 'denied',
    message: 'A certificate of the chain is not valid at the time of verification.',
    next: 'Have the model signed with a current certificate; a signature does not outlive its certificate here.',
  },
  OMS_CERTIFICATE_USAGE: {
    class: 'denied',
    message: 'The signing certificate is not meant for signing code or data.',
    next: 'Sign with a certificate whose key usage says digital signature, or whose extended usage says code signing.',
  },
  OMS_UNSIGNED_FILE: {
    class: 'invalid',
    message: 'The model folder holds a file that the signature does not cover.',
    next: 'Remove the file, or name it among the ignored paths if you know it to be harmless.',
  },
  OMS_MISSING_FILE: {
    class: 'invalid',
    message: 'A signed file is missing from the model folder.',
    next: 'Fetch the model again; it is incomplete.',
  },
  OMS_DIGEST_MISMATCH: {
    class: 'invalid',
    message: 'A file of the model is not the one that was signed.',
    next: 'Do not use the model; fetch the file again from its owner.',
  },
  OMS_SYMLINK: {
    class: 'invalid',
    message: 'The model folder holds a symbolic link where links are not allowed.',
    next: 'Replace the link by a copy of the file.',
  },
  OMS_SPECIAL_FILE: {
    class: 'invalid',
    message: 'The model folder holds something that is neither a file nor a folder.',
    next: 'Remove the pipe, socket or device from the folder.',
  },
  OMS_FILE_CHANGED: {
    class: 'conflict',
    message: 'A file of the model changed while it was hashed.',
    next: 'Let nothing write to the folder and try again.',
  },
  OMS_IO: {
    class: 'unavailable',
    message: 'A file of the model could not be read or written.',
    next: 'Check the path and its permissions.',
  },
  RELEASE_PACKAGE_MALFORMED: {
    class: 'invalid',
    message: 'The release package is not well formed.',
    next: 'Read it from the sealed model again: model.sig, manifest.json, release.json and approvals.',
  },
  RELEASE_MALFORMED: {
    class: 'invalid',
    message: 'release.json is not a well-formed release.',
    next: 'Have the release written and signed again.',
  },
  RELEASE_OWNER_KEYS: {
    class: 'usage',
    message: 'No key of the model owner was given to verify with.',
    next: 'Pin at least one public key of the owner.',
  },
  RELEASE_OWNER_UNKNOWN: {
    class: 'denied',
    message: 'The release was signed with a key that is not the owner’s.',
    next: 'Refuse it; if the owner changed keys, get the new key from the owner by a way you trust.',
  },
  RELEASE_SIGNATURE: {
    class: 'invalid',
    message: 'The owner’s signature over the release does not verify.',
    next: 'Refuse it and get the release again from its owner.',
  },
  RELEASE_SERIALIZATION: {
    class: 'denied',
    message: 'The release was hashed in a way that releases do not allow.',
    next: 'Sign with `fastness`: whole files, SHA-256, no symbolic links.',
  },
  RELEASE_RESOURCE_MISSING: {
    class: 'invalid',
    message: 'The signature does not cover a file that every release has.',
    next: 'Sign the release again with manifest.json and release.json in place.',
  },
  RELEASE_MANIFEST_DIGEST: {
    class: 'invalid',
    message: 'manifest.json is not the one that was signed.',
    next: 'Get the release again from its owner.',
  },
  RELEASE_DOCUMENT_DIGEST: {
    class: 'invalid',
    message: 'release.json is not the one that was signed.',
    next: 'Get the release again from its owner.',
  },
  RELEASE_MODEL_MISMATCH: {
    class: 'invalid',
    message: 'The release names another model than the manifest.',
    next: 'Sign the release that belongs to this sealed model.',
  },
  RELEASE_FILE_UNSIGNED: {
    class: 'invalid',
    message: 'The manifest lists a file that the signature does not cover.',
    next: 'Sign the sealed model again, whole.',
  },
  RELEASE_FILE_UNLISTED: {
    class: 'invalid',
    message: 'The signature covers a file that the manifest does not list.',
    next: 'Remove the file from the sealed model, or seal it again, and sign.',
  },
  RELEASE_NOT_YET_VALID: {
    class: 'denied',
    message: 'The release is not valid yet.',
    next: 'Wait until its notBefore, and check this machine’s clock.',
  },
  RELEASE_EXPIRED: {
    class: 'denied',
    message: 'The release has expired.',
    next: 'Get the current release from its owner; check this machine’s clock if it should be current.',
  },
  RELEASE_VERSION_ROLLBACK: {
    class: 'denied',
    message: 'The release is older than one that was already accepted.',
    next: 'Use the newest release; an older one returns only by being released again under a higher version.',
  },
  RELEASE_VERSION_NOT_RISING: {
    class: 'conflict',
    message: 'The folder already holds a signed release of this version or a higher one.',
    next: 'Give the new release a higher version.',
  },
  APPROVAL_QUORUM_INVALID: {
    class: 'usage',
    message: 'The quorum cannot be met or means nothing.',
    next: 'Name at least as many approvers as the threshold, and a threshold of at least one.',
  },
  APPROVAL_QUORUM_SAME_ID: {
    class: 'usage',
    message: 'Two approvers of the quorum have the same id.',
    next: 'Give each approver an id of their own.',
  },
  APPROVAL_QUORUM_SAME_KEY: {
    class: 'usage',
    message: 'Two approvers of the quorum have the same key.',
    next: 'Register a key of their own for each approver; one key is one vote.',
  },
  APPROVAL_APPROVER_ID: {
    class: 'usage',
    message: 'The approver id is not well formed.',
    next: 'Use 1 to 64 characters of a-z, 0-9, dot, underscore, at and hyphen, beginning with a letter or digit.',
  },
  APPROVAL_MALFORMED: {
    class: 'invalid',
    message: 'An approval is not well formed.',
    next: 'Have it written again with `fastness`.',
  },
  APPROVAL_UNKNOWN_APPROVER: {
    class: 'denied',
    message: 'An approval is from someone who is not an approver of this quorum.',
    next: 'Remove it, or register the approver if they belong to the quorum.',
  },
  APPROVAL_DUPLICATE: {
    class: 'invalid',
    message: 'The same approver approved twice.',
    next: 'Keep one approval for each approver.',
  },
  APPROVAL_SIGNATURE: {
    class: 'invalid',
    message: 'The signature of an approval does not verify under the approver’s key.',
    next: 'Have the approver approve again, with the key that is registered.',
  },
  APPROVAL_OTHER_RELEASE: {
    class: 'invalid',
    message: 'An approval is for another release.',
    next: 'Have this release approved; approvals never carry over.',
  },
  APPROVAL_FROM_FUTURE: {
    class: 'invalid',
    message: 'An approval is dated in the future.',
    next: 'Check the clocks of the approver and of this machine.',
  },
  ACCESS_MALFORMED: {
    class: 'invalid',
    message: 'access.json, the list of tenants of a model, is not well formed.',
    next: 'Have it written again with `fastness tenants sign`.',
  },
  ACCESS_SIGNATURE: {
    class: 'invalid',
    message: 'The list of tenants is not signed by the key that the release names.',
    next: 'Use the access.json of the owner of the model. Whoever made this one is not allowed to say who may use it.',
  },
  ACCESS_OTHER_MODEL: {
    class: 'invalid',
    message: 'The list of tenants is for another model.',
    next: 'Have the owner sign one for this model with `fastness tenants sign --model`.',
  },
  ACCESS_OLDER: {
    class: 'denied',
    message: 'The list of tenants is older than the release allows.',
    next: 'Use the newest access.json. Somebody offered an old one, with tenants or limits that have been withdrawn.',
  },
  APPROVAL_MISSING: {
    class: 'denied',
    message: 'Fewer approvers approved the release than the quorum requires.',
    next: 'Have more approvers approve it.',
  },
} as const satisfies Record<string, ErrorFacts>);
