/** Forged attestation services: issuers, their key sets, and tokens as Azure, Intel, Google and NVIDIA write them. */
export {
  forgeConfidentialSpaceClaims,
  forgedValues,
  forgeItaClaims,
  forgeMaaClaims,
  type ForgedClaims,
} from './claims.ts';
export {
  forgeKeySet,
  forgeTokenCrl,
  forgeTokenIssuer,
  tokenLevels,
  tokenSerials,
  type ForgedTokenIssuer,
  type ForgeTokenIssuerOptions,
  type TokenLevel,
} from './issuer.ts';
export { forgeJws, type ForgedJwsAlgorithm, type ForgeJwsOptions } from './jws.ts';
export { forgeNrasBundle, type ForgeNrasOptions } from './nras.ts';
