/** Fetching, keeping and carrying endorsements (Node): what vendors say about the hardware that evidence comes from. */
export { openEndorsementCache, type CacheOptions, type EndorsementCache } from './cache/cache.ts';
export { completeEndorsements, needsEndorsements } from './complete.ts';
export { fetchSubject } from './fetch-subject.ts';
export type { Completed, CompleteOptions } from './plan/types.ts';
export type { Fetch, HttpAnswer } from './http/answer.ts';
export type { HttpOptions } from './http/client.ts';
export { AZURE_PCCS, pccsServices, vendorServices, type EndorsementServices } from './services.ts';
export { createEndorsementSource, type EndorsementSource, type EndorsementSourceOptions } from './source.ts';
export type { Endorsement, EndorsementItem, EndorsementRequest, Judgement } from './types.ts';
export { amdChainRequest, certificatesOf, vcekRequest, type AmdKeyKind } from './amd/certificates.ts';
export { thimChainRequest, thimVcekRequest } from './amd/azure-thim.ts';
export { amdCrlRequest } from './amd/lists.ts';
export {
  evaluationNumbersRequest,
  qeIdentityRequest,
  readEvaluationNumbers,
  tcbInfoRequest,
  type EvaluationNumbers,
  type IntelTee,
  type IntelUpdate,
} from './intel/documents.ts';
export { pckCrlRequest, rootCrlRequest, type PckCa } from './intel/lists.ts';
export { pckCertificateRequest, type PckQuery } from './intel/pck-certificate.ts';
export {
  BUNDLE_FORMAT,
  decodeEndorsementBundle,
  encodeEndorsementBundle,
  isEndorsementBundle,
  type BundleItem,
  type EndorsementBundle,
} from './bundle/format.ts';
export { importEndorsementBundle, type Imported } from './bundle/import.ts';
export { readEndorsementBundle } from './bundle/read.ts';
export { ocspRequest } from './nvidia/ocsp.ts';
export { rimRequest } from './nvidia/rim.ts';
export { androidStatusRequest } from './android-status.ts';
export { confidentialSpaceRootRequest } from './tokens/confidential-space-root.ts';
export { keySetRequest, openIdConfigurationRequest, type KeySetOwner } from './tokens/key-sets.ts';
export { issuerCertificateRequest, vtpmCrlRequest } from './vtpm/requests.ts';
export { requestOf } from './subjects.ts';
