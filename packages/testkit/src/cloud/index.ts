/**
 * Fakes of the key services of clouds: HTTP servers on this machine that speak the services' wire formats, really
 * encrypt and sign, and fail in every way a service can. For tests alone.
 */
export { startFakeAwsKms, type FakeAwsKms, type FakeAwsKmsOptions } from './aws-kms.ts';
export {
  cmsSha256,
  forgeEnvelopedData,
  indefinite,
  oaepAlgorithm,
  type EnvelopedPart,
  type ForgeEnvelopedDataOptions,
} from './enveloped-data.ts';
export { startFakeAzureKeyVault, type FakeAzureKeyVault, type FakeAzureOptions } from './azure-key-vault.ts';
export { FaultPlan, type CloudFault } from './faults.ts';
export { startFakeGoogleKms, type FakeGoogleKms, type WorkloadCredentials } from './google-kms.ts';
export { signDigest, signDigestRaw } from './sign-digest.ts';
export {
  forgeRelease,
  forgeVaultSigner,
  wrapReleased,
  type ForgedVaultSigner,
  type ForgeReleaseOptions,
  type ForgeVaultSignerOptions,
} from './released-key.ts';
