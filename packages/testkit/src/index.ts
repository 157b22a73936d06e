/** Forges vendor CAs and evidence that verifies, for tests and the simulated TEE. Never a production dependency. */
export { encodeAlgorithm } from './x509/algorithm.ts';
export {
  forgeCertificate,
  type ForgeCertificateOptions,
  type ForgedIssuer,
  type ForgedTampering,
} from './x509/certificate.ts';
export { forgeCrl, type ForgeCrlOptions, type ForgedRevocation } from './x509/crl.ts';
export { basicConstraints, keyUsage, type ForgedExtension } from './x509/extensions.ts';
export {
  defaultAlgorithm,
  generateKeys,
  sharedKeys,
  signRaw,
  signWith,
  type ForgedKeyKind,
  type ForgedKeys,
} from './x509/keys.ts';
export { encodeName, type ForgedName, type ForgedNameFields } from './x509/name.ts';
export {
  amdName,
  forgeAmdChain,
  type ForgeAmdChainOptions,
  type ForgedAmdChain,
  type ForgedAuthority,
} from './snp/chain.ts';
export { snpEndorsements, snpEvidence } from './snp/evidence.ts';
export { amdArc, amdLeafExtensions } from './snp/leaf-extensions.ts';
export {
  forgedProducts,
  type ForgedCpuid,
  type ForgedProduct,
  type ForgedProductFacts,
  type ForgedTcb,
} from './snp/products.ts';
export {
  forgeSnpReport,
  type ForgedFirmware,
  type ForgedReportFields,
  type ForgeSnpReportOptions,
} from './snp/report.ts';
export {
  forgeNitroChain,
  nitroLevels,
  nitroName,
  type ForgedNitroChain,
  type ForgeNitroChainOptions,
  type NitroLevel,
} from './aws/chain.ts';
export { forgedPcrs, forgeNitroDocument, nitroEvidence, type ForgeNitroDocumentOptions } from './aws/document.ts';
export {
  forgeIntelChain,
  intelKeys,
  intelName,
  type ForgedIntelChain,
  type ForgeIntelChainOptions,
} from './intel/chain.ts';
export {
  forgeCollateral,
  forgedLevel,
  forgedModule,
  type ForgeCollateralOptions,
  type ForgedCollateral,
} from './intel/collateral.ts';
export { forgedPlatform, pckExtension, type ForgedPlatform } from './intel/pck-extensions.ts';
export {
  enclaveBody,
  forgedQe,
  forgeQuote,
  tdBody,
  type ForgedEnclaveFields,
  type ForgedTdFields,
  type ForgeQuoteOptions,
  pckReference,
} from './intel/quote.ts';
export { forgeEventLog, startupLocality, type ForgedEvent, type ForgeEventLogOptions } from './tpm/event-log.ts';
export { forgeTpmQuote, tpmHashIds, tpmSelection, type ForgedScheme, type ForgeTpmQuoteOptions } from './tpm/quote.ts';
export {
  akExtensions,
  akLevels,
  crlDistributionPoint,
  forgeAkChain,
  keyIdentifier,
  purposes,
  tpmPurposes,
  type AkChainStyle,
  type AkLevel,
  type ForgeAkChainOptions,
  type ForgedAkChain,
} from './tpm/ak-chain.ts';
export {
  forgedInstance,
  forgeGcpAkChain,
  googleName,
  instanceInfo,
  instanceInfoOid,
  type ForgedInstance,
} from './gcp/chain.ts';
export { forgeAzureAkChain } from './azure/chain.ts';
export {
  forgeHclReport,
  forgeRuntimeData,
  forgeTdReport,
  hclReportData,
  hclReportTypes,
  type ForgeHclReportOptions,
} from './azure/hcl.ts';
export {
  forgeConfidentialSpaceClaims,
  forgedValues,
  forgeItaClaims,
  forgeJws,
  forgeKeySet,
  forgeMaaClaims,
  forgeNrasBundle,
  forgeTokenCrl,
  forgeTokenIssuer,
  tokenLevels,
  tokenSerials,
  type ForgedClaims,
  type ForgedJwsAlgorithm,
  type ForgedTokenIssuer,
  type ForgeJwsOptions,
  type ForgeNrasOptions,
  type ForgeTokenIssuerOptions,
  type TokenLevel,
} from './tokens/index.ts';
export {
  deviceName,
  firmwareIdentity,
  forgedFwid,
  forgeNvidiaChain,
  forgeRimChain,
  nvidiaLevels,
  nvidiaName,
  rimLevels,
  type ForgedNvidiaChain,
  type ForgeNvidiaChainOptions,
  type ForgeRimChainOptions,
  type NvidiaLevel,
  type RimLevel,
} from './nvidia/chain.ts';
export { forgeChainOcsp, type ForgeChainOcspOptions } from './nvidia/endorsements.ts';
export {
  forgedIndexes,
  forgedMeasurements,
  forgeNvidiaReport,
  nvidiaField,
  nvidiaFields,
  nvidiaText,
  type ForgeNvidiaReportOptions,
} from './nvidia/report.ts';
export { forgeRim, type ForgeRimOptions } from './nvidia/rim.ts';
export { forgeOcspResponse, ocspSigning, type ForgedOcspAnswer, type ForgeOcspResponseOptions } from './x509/ocsp.ts';
export { ccaEvidence, forgeCcaToken, forgedRealm, realmPublicKey, type ForgeCcaTokenOptions } from './arm/cca.ts';
export {
  armComponentMeasurement,
  armEnvironment,
  armKeyTriple,
  armReferenceTriple,
  corimEndorsement,
  corimUri,
  corimValidity,
  forgeCorim,
  signCorim,
  type ForgeCorimOptions,
  type ForgedTriples,
  type SignCorimOptions,
} from './arm/corim.ts';
export { armAlgorithm, forgeArmMessage, type ForgeArmMessageOptions } from './arm/message.ts';
export {
  forgedArmComponents,
  forgedArmDevice,
  forgePsaToken,
  psaEvidence,
  type ForgedArmComponent,
  type ForgePsaTokenOptions,
} from './arm/psa.ts';
export {
  androidLevels,
  androidTags,
  applicationId,
  encodeKeyDescription,
  forgeAndroidChain,
  forgeAndroidStatus,
  forgedBootHash,
  forgedBootKey,
  forgedSigner,
  hardwareProperties,
  keyDescriptionExtension,
  rootOfTrust,
  taggedProperty,
  type AndroidLevel,
  type ForgeAndroidChainOptions,
  type ForgedAndroidChain,
  type ForgedKeyDescription,
  type ForgedProperty,
  type ForgedRootOfTrust,
} from './android/index.ts';
export { startSwtpm, swtpmInstalled, type RunningSwtpm } from './tpm/swtpm.ts';
