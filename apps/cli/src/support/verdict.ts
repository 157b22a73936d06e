import { hardwareFactsOf, machineOf, type LoggedRelease, type VerifiedEnclave } from '@fastness/client';
import { deviceFacts, deviceLines, waiverLines } from './devices.ts';
import { shortHex } from './format.ts';
import type { Output } from './output.ts';
import { simulatedBanner } from './simulated.ts';

/** Prints what was verified of an enclave: hardware, measurement, firmware, release and approvals, what was waived. */
export function printVerifiedEnclave(output: Output, verified: VerifiedEnclave): void {
  const { claims, waivers } = verified.verdict;
  const { release, approvedBy } = verified.release;
  const hardware = machineOf(verified.verdict);
  output.step(
    'enclave-verified',
    `Enclave verified: ${hardware}, running ${release.modelId} v${release.version}, approved by ${approvedBy.join(' and ')}`,
    {
      simulated: claims.simulated,
      claims,
      ...deviceFacts(verified.verdict),
      waivers,
      release: {
        modelId: release.modelId,
        version: release.version,
        expires: release.expires,
        releaseDigest: verified.releaseDigest,
      },
      approvedBy,
      ...(verified.owners === undefined ? {} : { owners: verified.owners }),
      ...(verified.logged === undefined ? {} : { logged: verified.logged }),
      scope: verified.scope,
      deployment: verified.deployment,
      ...(verified.lease === undefined ? {} : { lease: verified.lease }),
      protocol: verified.protocol,
      weaknesses: verified.weaknesses,
      checks: verified.verdict.checks.length,
    },
  );
  output.detail(`measurement ${shortHex(claims.measurement)} is the one that the signed release names`);
  for (const line of [...hardwareFactsOf(claims), ...deviceLines(verified.verdict)]) output.detail(line);
  const { logged, owners } = verified;
  if (owners !== undefined) {
    const { version, threshold, keys, expires } = owners;
    output.detail(`owners: version ${version}, ${threshold} of ${keys.length} keys, until ${expires}`);
  }
  if (logged !== undefined) output.detail(loggedLine(logged));
  output.detail(`debug ${claims.debug ? 'ON' : 'off'}; ${verified.verdict.checks.length} checks in all`);
  output.detail('report data binds this nonce, the encryption key, the receipt key and the release');
  if (verified.lease !== undefined) {
    const { issuedAt, ttlSeconds, shares } = verified.lease;
    const by =
      shares === undefined ? "the owner's broker" : `the brokers of shares ${shares.join(', ')}, the deciding one`;
    output.detail(`leased by ${by} at ${issuedAt.toISOString()} for ${ttlSeconds} s, to these very keys`);
  }
  output.detail(
    verified.scope === 'pinned'
      ? 'this deployment: the policy pins the machine'
      : 'any deployment of this release: the policy pins the owner and the image, not the machine',
  );
  for (const weakness of verified.weaknesses) output.warn(`Given up by the policy: ${weakness}`);
  for (const line of waiverLines(verified.verdict)) output.warn(line);
  if (claims.simulated) output.warn(simulatedBanner);
}

function loggedLine({ origin, index, size, cosigned }: LoggedRelease): string {
  const by = cosigned.map(({ name, time }) => `${name} at ${time.toISOString()}`).join(', ');
  return `logged as entry ${index} of ${size} in ${origin}, ${by === '' ? 'no witness asked for' : `cosigned by ${by}`}`;
}
