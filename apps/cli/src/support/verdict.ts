import type { LoggedRelease, VerifiedEnclave } from '@fastness/client';
import type { Claims, ClaimsBase } from '@fastness/attest';
import { shortHex } from './format.ts';
import type { Output } from './output.ts';
import { simulatedBanner } from './simulated.ts';

/** Prints what was verified of an enclave: hardware, measurement, firmware, release and approvals, what was waived. */
export function printVerifiedEnclave(output: Output, verified: VerifiedEnclave): void {
  const { claims, waivers } = verified.verdict;
  const { release, approvedBy } = verified.release;
  const hardware = hardwareOf(claims);
  output.step(
    'enclave-verified',
    `Enclave verified: ${hardware}, running ${release.modelId} v${release.version}, approved by ${approvedBy.join(' and ')}`,
    {
      simulated: claims.simulated,
      claims,
      waivers,
      release: {
        modelId: release.modelId,
        version: release.version,
        expires: release.expires,
        releaseDigest: verified.releaseDigest,
      },
      approvedBy,
      ...(verified.logged === undefined ? {} : { logged: verified.logged }),
      scope: verified.scope,
      checks: verified.verdict.checks.length,
    },
  );
  output.detail(`measurement ${shortHex(claims.measurement)} is the one that the signed release names`);
  for (const line of factsOf(claims)) output.detail(line);
  const { logged } = verified;
  if (logged !== undefined) output.detail(loggedLine(logged));
  output.detail(`debug ${claims.debug ? 'ON' : 'off'}; ${verified.verdict.checks.length} checks in all`);
  output.detail('report data binds this nonce, the encryption key, the receipt key and the release');
  output.detail(
    verified.scope === 'pinned'
      ? 'this deployment: the policy pins the machine'
      : 'any deployment of this release: the policy pins the owner and the image, not the machine',
  );
  for (const waiver of waivers) output.warn(`Waived by the policy: ${waiver.check} (${waiver.reason})`);
  if (claims.simulated) output.warn(simulatedBanner);
}

function loggedLine({ origin, index, size, cosigned }: LoggedRelease): string {
  const by = cosigned.map(({ name, time }) => `${name} at ${time.toISOString()}`).join(', ');
  return `logged as entry ${index} of ${size} in ${origin}, ${by === '' ? 'no witness asked for' : `cosigned by ${by}`}`;
}

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
export function factsOf(claims: Claims): string[] {
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
  return lines;
}
