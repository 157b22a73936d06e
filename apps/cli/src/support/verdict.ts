import type { VerifiedEnclave } from '@fastness/client';
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
      scope: verified.scope,
      checks: verified.verdict.checks.length,
    },
  );
  output.detail(`measurement ${shortHex(claims.measurement)} is the one that the signed release names`);
  for (const line of factsOf(claims)) output.detail(line);
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

/** "AMD SEV-SNP (Genoa)", "Intel tdx", ... */
export function hardwareOf(claims: Claims): string {
  const { simulated, tee, vendor }: ClaimsBase = claims;
  if (claims.tee === 'sev-snp') return simulated ? 'SIMULATED SEV-SNP' : `AMD SEV-SNP (${claims.product})`;
  return `${vendor} ${tee}`;
}

/** Who signed the evidence and what firmware it ran on. */
export function factsOf(claims: Claims): string[] {
  const { identity, simulated, vendor }: ClaimsBase = claims;
  const root = simulated ? 'the simulated root that the policy names' : `the pinned ${vendor} root`;
  if (claims.tee === 'sev-snp') {
    const { snp, microcode } = claims.tcb.reported;
    return [
      `report signed by ${claims.signingKey.toUpperCase()}, chain to ${root}, revocation list current`,
      `firmware SNP ${snp}, microcode ${microcode}, VMPL ${claims.vmpl}`,
    ];
  }
  return [`evidence of ${identity.kind} ${identity.value}, chain to ${root}`];
}
