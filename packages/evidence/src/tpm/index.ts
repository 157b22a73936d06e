/**
 * TPM 2.0, in TypeScript down to the bytes: commands over the kernel's device or the socket of swtpm. Authorisation is by
 * password and by policy, without HMAC: who can read the bus or the socket reads passwords and sealed secrets on their way.
 */
export { openTpm, type OpenTpmOptions, type Tpm, type TpmAuthorisation, type TpmCommand } from './client.ts';
export { certifiedCreation, nvCertifiedRead, type CertifiedCreation } from './commands/certify.ts';
export {
  nvDefineSpace,
  nvExtend,
  nvIncrement,
  nvName,
  nvRead,
  nvReadCounter,
  nvReadPublic,
  nvUndefineSpace,
  nvWrite,
  type NvAccess,
  type NvPublic,
} from './commands/nv.ts';
export {
  create,
  createPrimary,
  evictControl,
  flushContext,
  load,
  noPassword,
  readPublic,
  unseal,
  withObject,
  type LoadedObject,
  type ObjectBlob,
  type ObjectCreation,
} from './commands/objects.ts';
export { encodeSelection, pcrExtend, pcrRead, quote, type PcrSelection, type TpmQuoteBytes } from './commands/pcr.ts';
export { policyDigest, policyNv, policyPcr, startPolicySession } from './commands/policy.ts';
export {
  flushAll,
  getProperty,
  getRandom,
  listHandles,
  properties,
  selfTest,
  shutdown,
  startup,
} from './commands/startup.ts';
export {
  algorithms,
  banks,
  comparisons,
  extendableBanks,
  handles,
  nvAttributes,
  type Bank,
  type ExtendableBank,
} from './constants.ts';
export {
  attestationKeyTemplate,
  rsaAttestationKeyTemplate,
  sealedDataTemplate,
  storageKeyTemplate,
} from './public-area.ts';
export { isMissing } from './response-code.ts';
export { openSwtpmSocket, openTpmDevice, type TpmTransport } from './transport.ts';
