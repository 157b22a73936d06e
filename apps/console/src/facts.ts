import type { AttestationVerdict, Claims } from '@fastness/attest';
import {
  devicesOf,
  hardwareFactsOf,
  hardwareOf,
  type ClientPolicy,
  type VerifiedEnclave,
} from '@fastness/client/portable';
import { toHex } from '@fastness/codec/bytes';
import type { LoadedPolicy } from './policy-input.ts';

/** Seconds after which a page verifies again at the latest. */
export const sessionSeconds = 600;

/** One line of a card. `mono`: a digest or identifier, shown as such and whole on demand. */
export interface Fact {
  readonly label: string;
  readonly value: string;
  readonly mono?: boolean;
}

export interface Card {
  readonly title: string;
  readonly facts: readonly Fact[];
}

/** What was verified, in the order in which people ask: what machine, how sound, what software, who stands for it, for how long. */
export function cardsOf(enclave: VerifiedEnclave, loaded: LoadedPolicy): readonly Card[] {
  return [
    hardwareCard(enclave.claims),
    firmwareCard(enclave.claims),
    ...deviceCards(enclave.verdict),
    releaseCard(enclave, loaded.policy),
    sessionCard(enclave, loaded),
  ];
}

const identityLabels: Readonly<Record<Claims['identity']['kind'], string>> = Object.freeze({
  'chip-id': 'Chip',
  'csp-id': 'Provider',
  ppid: 'Platform (PPID)',
  'nvidia-device-id': 'Device',
  'instance-id': 'Instance',
  'attestation-key': 'Attestation key',
  'token-issuer': 'Issuer of the token',
  ueid: 'Devices (UEID)',
  'gce-instance': 'Instance',
  'vm-id': 'Virtual machine',
});

function hardwareCard(claims: Claims): Card {
  const { identity, vendor, measurement, debug, simulated } = claims;
  return {
    title: 'Hardware',
    facts: [
      { label: 'Kind', value: hardwareOf(claims) },
      {
        label: 'Vouched for by',
        value: simulated ? 'nobody: the root key is one that the policy names' : `${vendor}, root key pinned`,
      },
      { label: identityLabels[identity.kind], value: identity.value, mono: true },
      { label: 'Measurement of the software', value: measurement, mono: true },
      { label: 'Debugging', value: debug ? 'ON, under a waiver' : 'off' },
    ],
  };
}

/** One for each device that was verified with the processor. */
export function deviceCards(verdict: AttestationVerdict): readonly Card[] {
  return devicesOf(verdict).map(({ label, claims }) => ({
    title: `Device ${label}`,
    facts: [
      { label: 'Kind', value: hardwareOf(claims) },
      { label: 'Vouched for by', value: `${claims.vendor}, root key pinned` },
      { label: identityLabels[claims.identity.kind], value: claims.identity.value, mono: true },
      { label: 'Measurement', value: claims.measurement, mono: true },
      { label: 'Facts', value: hardwareFactsOf(claims).slice(1).join('; ') || 'none beside these' },
      { label: 'Debugging', value: claims.debug ? 'ON, under a waiver' : 'off' },
    ],
  }));
}

function firmwareCard(claims: Claims): Card {
  const title = 'Firmware and advisories';
  if (claims.tee === 'tdx' || claims.tee === 'sgx') {
    const { status, date, advisories } = claims.tcb;
    return {
      title,
      facts: [
        { label: 'TCB status', value: status },
        { label: 'Level of', value: date },
        { label: 'Advisories', value: advisories.length === 0 ? 'none' : advisories.join(', ') },
        { label: 'Platform family', value: claims.fmspc, mono: true },
      ],
    };
  }
  if (claims.tee === 'sev-snp') {
    const { bootloader, tee, snp, microcode } = claims.tcb.reported;
    return {
      title,
      facts: [
        { label: 'SNP firmware', value: `${claims.firmware.current}, security version ${snp}` },
        { label: 'Microcode', value: `security version ${microcode}` },
        { label: 'Boot loader, TEE', value: `${bootloader}, ${tee}` },
        { label: 'Signed by', value: `${claims.signingKey.toUpperCase()}, report version ${claims.reportVersion}` },
        { label: 'Simultaneous threads', value: claims.smtEnabled ? 'on' : 'off' },
        { label: 'Advisories', value: 'not in AMD’s evidence: the floor that the policy sets was met' },
      ],
    };
  }
  return {
    title,
    facts: [
      { label: 'Advisories', value: 'not in this evidence: what the policy demands of it was met (see the checks)' },
    ],
  };
}

function releaseCard({ release: verified }: VerifiedEnclave, { quorum }: ClientPolicy): Card {
  const { release, manifest, approvedBy, ownerKeyId, releaseDigest, resources } = verified;
  const sealed = new Map(resources.map(({ name, digest }) => [name, digest]));
  return {
    title: 'Release',
    facts: [
      { label: 'Model', value: `${release.modelId}, version ${release.version} (${manifest.task})` },
      {
        label: 'Approved by',
        value: `${approvedBy.join(', ')} (${quorum.threshold} of ${quorum.approvers.length} needed)`,
      },
      { label: 'Signed by the owner key', value: ownerKeyId, mono: true },
      { label: 'Valid until', value: timeOf(new Date(release.expires)) },
      { label: 'Traffic profile', value: release.traffic ?? 'off: the pace of answers is the model’s' },
      { label: 'Release', value: toHex(releaseDigest), mono: true },
      ...manifest.files.map(({ path, sealedPath }) => ({
        label: `Weights ${path}, sealed`,
        value: sealed.get(sealedPath) ?? '',
        mono: true,
      })),
    ],
  };
}

function sessionCard(
  {
    scope,
    verifiedAt,
    keyConfigDigest,
    evidenceDigest,
    checks,
    logged,
    lease,
    deployment,
    verifyAgainAt,
  }: VerifiedEnclave,
  { policy, origin, digest, pinned }: LoadedPolicy,
): Card {
  const againAt = new Date(Math.min(verifyAgainAt.getTime(), verifiedAt.getTime() + sessionSeconds * 1000));
  return {
    title: 'This session',
    facts: [
      { label: 'Class of the verdict', value: classText({ deployment, scope }) },
      {
        label: 'Verified',
        value: `${timeOf(verifiedAt)}, over a nonce of this page; again by ${timeOf(againAt)}`,
      },
      { label: 'Under the policy', value: `“${policy.attestation.id}”, which ${origin}` },
      { label: 'Fingerprint of the policy', value: digest, mono: true },
      {
        label: 'Compared by you',
        value: pinned === undefined ? 'nothing: the policy is taken as it came' : `the fingerprint of the ${pinned}`,
      },
      {
        label: 'Log',
        value:
          logged === undefined
            ? 'the policy asks for none'
            : `entry ${logged.index} of ${logged.size} in ${logged.origin}, ${logged.kind === 'lease-renewed' ? 'a renewed lease' : 'a release of the key'}, cosigned by ${logged.cosigned.map(({ name }) => name).join(', ') || 'nobody'}`,
      },
      { label: 'Lease', value: leaseText(lease) },
      { label: 'Checks', value: `${checks.length} in all` },
      { label: 'Encryption and receipt keys', value: toHex(keyConfigDigest), mono: true },
      { label: 'Evidence', value: toHex(evidenceDigest), mono: true },
    ],
  };
}

/** Whose enclave the verdict is about. */
export function classText({ deployment, scope }: Pick<VerifiedEnclave, 'deployment' | 'scope'>): string {
  const pinned = scope === 'pinned' ? ', on a machine that the policy pins' : '';
  return deployment === 'this-deployment'
    ? `this deployment: the owner’s broker gave the model to these keys${pinned}`
    : `any deployment of this release, whoever runs it${pinned}`;
}

function leaseText(lease: VerifiedEnclave['lease']): string {
  return lease === undefined
    ? 'none was shown'
    : `of ${timeOf(lease.issuedAt)} by ${lease.shares === undefined ? 'the owner’s broker' : `the brokers of shares ${lease.shares.join(', ')}`}, for ${lease.ttlSeconds} seconds; renewed while it agrees`;
}

/** In UTC, as receipts and logs have it. */
function timeOf(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** What the verdict does not say, most important first. */
export function limitsOf({
  simulated,
  deployment,
  scope,
  verdict,
  claims,
  weaknesses,
}: VerifiedEnclave): readonly string[] {
  return [
    ...(simulated
      ? ['Nothing is protected: this TEE is simulated, and whoever runs the machine can read everything.']
      : []),
    ...verdict.waivers.map(({ check, reason }) => `The policy waives ${check}: ${reason}`),
    ...weaknesses.map((weakness) => `The policy gives it up: ${weakness}`),
    ...(claims.debug ? ['Debugging is on: the host can look inside.'] : []),
    ...(scope === 'pinned' || deployment === 'this-deployment'
      ? []
      : [
          'Another operator’s enclave of the same release would get the same verdict. Pin machines or owner keys in the policy to tell them apart.',
        ]),
    'Sizes and times of messages are visible on the network, and tell topics to a trained eye.',
    'The host can refuse to run, delay and cut connections at any time; a cut answer is shown as an error.',
    'Physical attacks and side channels have broken every TEE at some firmware level.',
    'The model’s answers can be wrong. A receipt proves which model answered, not that it is right.',
    'Whoever serves this page can change it. Serve it yourself, or compare its digest below with one you built.',
  ];
}
