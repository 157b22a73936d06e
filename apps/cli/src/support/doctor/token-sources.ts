import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { policySectionOf } from '@fastness/attest';
import { CONFIDENTIAL_SPACE_SOCKET, INTEL_TRUST_AUTHORITY, openPsaCommand } from '@fastness/evidence';
import { accessOf, faultOf, type DeviceFinding } from './device.ts';

/** What gives evidence that stands alone: an enclave does not take it unasked, and it is no part of a collection. */
export async function tokenSources(options: {
  readonly root: string;
  readonly psa?: string;
  /** Kinds of evidence that this machine's processor gives. */
  readonly hardware: ReadonlySet<string>;
}): Promise<readonly DeviceFinding[]> {
  return [
    await confidentialSpace(join(options.root, CONFIDENTIAL_SPACE_SOCKET)),
    ...services.map((service) => attestationService(service, options.hardware)),
    await psaCommand(options.psa),
  ];
}

const services = Object.freeze([
  {
    kind: 'Microsoft Azure Attestation',
    path: 'https://INSTANCE.attest.azure.net',
    tee: 'azure-maa',
    judges: ['sev-snp', 'tdx', 'sgx'],
    needs: 'It needs the way out to an instance, which `azureMaaCollector` names; no key.',
  },
  {
    kind: 'Intel Trust Authority',
    path: INTEL_TRUST_AUTHORITY,
    tee: 'intel-trust-authority',
    judges: ['tdx', 'sgx'],
    needs:
      "It needs the way out to this address, and an attestation API key in a file for its owner alone (mode 0600): Intel's portal.",
  },
] as const);

/** Services that make a token of the processor's evidence. None is asked: it would have to be told the way, and counts. */
function attestationService(
  { kind, path, tee, judges, needs }: (typeof services)[number],
  hardware: ReadonlySet<string>,
): DeviceFinding {
  const finding = { kind, path, role: 'alone' as const };
  const shown = judges.filter((judged) => hardware.has(judged));
  if (shown.length === 0) {
    const detail = `Nothing here that it judges: ${judges.join(', ')}.`;
    return { ...finding, state: 'missing', detail, next: ['See the devices above; then:', needs] };
  }
  const detail = `It judges ${shown.join(', ')}, which is here; it was not asked.`;
  return { ...finding, state: 'usable', detail, next: [needs], policy: { section: policySectionOf[tee] } };
}

/** No token is asked for: Google counts those, and an audience belongs to each. */
async function confidentialSpace(path: string): Promise<DeviceFinding> {
  const finding = { kind: 'Google Confidential Space', path, role: 'alone' as const };
  const state = await accessOf(path);
  if (state === 'usable') {
    return {
      ...finding,
      state,
      detail: 'The launcher is there: its tokens are gcp-confidential-space.',
      next: [],
      policy: { section: policySectionOf['gcp-confidential-space'] },
    };
  }
  const next =
    state === 'missing'
      ? ['Made by the launcher of a Confidential Space image, for the container that it starts.']
      : [`Run as the user whom the launcher lets use ${path}.`];
  return { ...finding, state, detail: state === 'missing' ? 'There is none.' : 'This user may not use it.', next };
}

async function psaCommand(command: string | undefined): Promise<DeviceFinding> {
  const finding = { kind: 'Arm PSA token command', path: command ?? '--psa', role: 'alone' as const };
  if (command === undefined) {
    const next = [
      'Name the command that prints a token for the nonce in its argument: `fastness doctor --psa COMMAND`.',
    ];
    return { ...finding, state: 'missing', detail: 'None was named, and there is no common one.', next };
  }
  try {
    await openPsaCommand({ command }).collect(new Uint8Array(randomBytes(64)));
    const policy = { section: policySectionOf['arm-psa'] };
    return { ...finding, state: 'usable', detail: 'Its tokens are arm-psa.', next: [], policy };
  } catch (error) {
    return { ...finding, state: 'not-working', ...faultOf(error) };
  }
}
