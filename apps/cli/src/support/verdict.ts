import type { VerifiedEnclave } from '@fastness/client';
import { shortHex } from './format.ts';
import type { Output } from './output.ts';
import { simulatedBanner } from './simulated.ts';

/** Prints what was verified of an enclave: hardware, measurement, firmware, release and approvals, what was waived. */
export function printVerifiedEnclave(output: Output, verified: VerifiedEnclave): void {
  const { claims, waivers } = verified.verdict;
  const { release, approvedBy } = verified.release;
  const hardware = claims.simulated ? 'SIMULATED SEV-SNP' : `AMD SEV-SNP (${claims.product})`;
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
      checks: verified.verdict.checks.length,
    },
  );
  output.detail(`measurement ${shortHex(claims.measurement)} is the one that the signed release names`);
  output.detail(
    `report signed by ${claims.signingKey.toUpperCase()}, chain to ${claims.simulated ? 'the simulated root that the policy names' : 'the pinned AMD root'}, revocation list current`,
  );
  const { snp, microcode } = claims.tcb.reported;
  output.detail(
    `firmware SNP ${snp}, microcode ${microcode}, VMPL ${claims.vmpl}, debug ${claims.debug ? 'ON' : 'off'}; ${verified.verdict.checks.length} checks in all`,
  );
  output.detail('report data binds this nonce, the encryption key, the receipt key and the release');
  for (const waiver of waivers) output.warn(`Waived by the policy: ${waiver.check} (${waiver.reason})`);
  if (claims.simulated) output.warn(simulatedBanner);
}
