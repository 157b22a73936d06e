import type { Claims, ClaimsBase } from '@fastness/attest';

const names: Readonly<Record<Claims['tee'], string>> = Object.freeze({
  'sev-snp': 'AMD SEV-SNP',
  tdx: 'Intel TDX',
  sgx: 'Intel SGX',
  'aws-nitro': 'AWS Nitro Enclave',
  'aws-nitrotpm': 'AWS NitroTPM',
  'nvidia-gpu': 'NVIDIA GPU',
  'nvidia-nvswitch': 'NVIDIA NVSwitch',
  tpm: 'TPM',
  'gcp-vtpm': 'Google Compute Engine vTPM',
  'azure-vtpm': 'Azure confidential VM',
  'android-key': 'Android key',
  'arm-psa': 'Arm PSA device',
  'arm-cca': 'Arm CCA realm',
  'azure-maa': 'token of Microsoft Azure Attestation',
  'intel-trust-authority': 'token of Intel Trust Authority',
  'gcp-confidential-space': 'token of Google Confidential Space',
  'nvidia-nras': "token of NVIDIA's Remote Attestation Service",
});

/** "AMD SEV-SNP (Genoa)", "Intel TDX", ... */
export function hardwareOf(claims: Claims): string {
  if (claims.tee !== 'sev-snp') return names[claims.tee];
  return claims.simulated ? 'SIMULATED SEV-SNP' : `${names[claims.tee]} (${claims.product})`;
}

/** Who signed the evidence and what firmware it ran on. */
export function hardwareFactsOf(claims: Claims): string[] {
  const { identity, simulated, vendor }: ClaimsBase = claims;
  if (claims.tee === 'sev-snp') {
    const { snp, microcode } = claims.tcb.reported;
    return [
      `report signed by ${claims.signingKey.toUpperCase()}, chain to ${simulated ? 'the simulated root that the policy names' : 'an AMD root'}`,
      `firmware SNP ${snp}, microcode ${microcode}, VMPL ${claims.vmpl}`,
    ];
  }
  const lines = [`${identity.kind} ${identity.value}, as ${vendor} vouches`];
  if (claims.tee === 'tdx' || claims.tee === 'sgx') {
    const { status, advisories } = claims.tcb;
    lines.push(`TCB ${status}${advisories.length === 0 ? '' : `, subject to ${advisories.join(', ')}`}`);
  }
  if (claims.tee === 'tpm')
    lines.push('NOT CONFIDENTIAL: a TPM says what booted; whoever operates the machine can read its memory');
  return lines;
}
