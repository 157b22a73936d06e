import { forgeAkChain, purposes, tpmPurposes, type ForgeAkChainOptions, type ForgedAkChain } from '../tpm/ak-chain.ts';

/** Forges the chain above the attestation key of a confidential VM of Azure. */
export async function forgeAzureAkChain(options: ForgeAkChainOptions): Promise<ForgedAkChain> {
  const names = {
    root: {
      country: 'US',
      organization: 'Microsoft Corporation',
      commonName: 'Azure Virtual TPM Root Certificate Authority 2023',
    },
    intermediate: 'Global Virtual TPM CA - 99',
    leaf: '0123456789ab.ConfidentialVM.Azure.windows.net',
  };
  return forgeAkChain(
    { names, leafExtensions: [purposes('1.3.6.1.4.1.311.10.3.12', tpmPurposes.attestation)] },
    options,
  );
}
