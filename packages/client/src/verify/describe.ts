import {
  isCompositeVerdict,
  type AttestationVerdict,
  type Claims,
  type ClaimsBase,
  type TdxClaims,
} from '@fastness/attest';

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

/** A device beside the processor, under its label in the collection: gpu0, nvswitch0, tpm0, ... */
export interface DescribedDevice {
  readonly label: string;
  readonly claims: Claims;
}

/** The devices that were verified with the processor; none where its evidence came alone. */
export function devicesOf(verdict: AttestationVerdict): readonly DescribedDevice[] {
  if (!isCompositeVerdict(verdict)) return [];
  return Object.entries(verdict.parts)
    .filter(([label]) => !label.startsWith('cpu'))
    .map(([label, { claims }]) => ({ label, claims }));
}

/** The processor and how many devices of which kind: "AMD SEV-SNP (Genoa) with 8 NVIDIA GPU (GH100)". */
export function machineOf(verdict: AttestationVerdict): string {
  const counts = new Map<string, number>();
  for (const { claims } of devicesOf(verdict))
    counts.set(hardwareOf(claims), (counts.get(hardwareOf(claims)) ?? 0) + 1);
  const devices = [...counts].map(([kind, count]) => `${count} ${kind}`).join(' and ');
  return `${hardwareOf(verdict.claims)}${devices === '' ? '' : ` with ${devices}`}`;
}

/** "AMD SEV-SNP (Genoa)", "Intel TDX", "NVIDIA GPU (GH100)", ... */
export function hardwareOf(claims: Claims): string {
  if (claims.tee === 'nvidia-gpu' || claims.tee === 'nvidia-nvswitch') return `${names[claims.tee]} (${claims.chip})`;
  if (claims.tee !== 'sev-snp') return names[claims.tee];
  return claims.simulated ? 'SIMULATED SEV-SNP' : `${names[claims.tee]} (${claims.product})`;
}

/** What the event log of a trust domain said, as far as it was verified. */
function logFactsOf(log: TdxClaims['eventLog']): string[] {
  if (log === undefined) return [];
  const { events, replayedRtmrs, named } = log;
  return [
    `event log: ${events} events, replayed to ${replayedRtmrs.map((index) => `RTMR${index}`).join(', ')}`,
    ...Object.entries(named).map(([index, names]) => `RTMR${index} has what the policy lists: ${names.join(', ')}`),
  ];
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
  if (claims.tee === 'nvidia-gpu') {
    const { settings, driverVersion, mode } = claims;
    const on = settings === undefined ? 'not collected' : settings.confidentialComputing ? 'on' : 'OFF';
    lines.push(`driver ${driverVersion}, VBIOS ${claims.vbiosVersion}, mode ${mode}`);
    lines.push(`confidential computing ${on}, as the driver in the guest says`);
  }
  if (claims.tee === 'nvidia-nvswitch') lines.push(`firmware ${claims.vbiosVersion}`);
  if (claims.tee === 'tdx') lines.push(...logFactsOf(claims.eventLog));
  if (claims.tee === 'tpm')
    lines.push('NOT CONFIDENTIAL: a TPM says what booted; whoever operates the machine can read its memory');
  return lines;
}
