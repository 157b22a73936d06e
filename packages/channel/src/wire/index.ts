import '../errors.ts';
export {
  attestationBundleSchema,
  attestationRequestSchema,
  nonceBatchSchema,
  type AttestationBundle,
  type AttestationRequest,
  type NonceBatchJson,
} from './attestation.ts';
export {
  base64Url32Schema,
  base64UrlUpTo,
  cmwJsonSchema,
  evidenceJsonSchema,
  hex32Schema,
  identifierSchema,
  isoTimeSchema,
  type CmwJson,
  type EvidenceJson,
} from './fields.ts';
export {
  challengeSchema,
  keyReleaseRequestSchema,
  keyReleaseResponseSchema,
  sealedKeySchema,
  type Challenge,
  type KeyReleaseRequest,
  type KeyReleaseResponse,
  type SealedKey,
} from './key-release.ts';
export { errorHeader, evidenceHeader, mediaTypes, previousHeader, receiptTrailer } from './media-types.ts';
export { parseWire, parseWireJson, wireLimits } from './parse.ts';
