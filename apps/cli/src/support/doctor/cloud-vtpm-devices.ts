import { policySectionOf } from '@fastness/attest';
import { openAzureVtpm, openGcpVtpm, type TpmCollector, type TpmCollectorOptions } from '@fastness/evidence';
import { accessOf, faultOf, type DeviceFinding } from './device.ts';

const kinds = Object.freeze([
  {
    kind: 'Virtual TPM of an Azure confidential VM',
    open: openAzureVtpm,
    next: ['Azure puts an HCL report into the TPM of confidential VMs (sizes DC and EC, security type Confidential).'],
  },
  {
    kind: 'Virtual TPM of Google Compute Engine',
    open: openGcpVtpm,
    next: ['Google puts a certified key into the TPM of VMs with vTPM on (Shielded VM).'],
  },
]);

/** What a cloud put into the TPM; nothing is quoted, since on Azure that may ask a service of the host. */
export async function cloudVtpmDevices(path: string): Promise<readonly DeviceFinding[]> {
  const findings: DeviceFinding[] = [];
  // One after the other: an emulator speaks with one at a time.
  for (const { kind, open, next } of kinds) findings.push(await examineVtpm({ kind, path }, open, next));
  return findings;
}

async function examineVtpm(
  finding: Pick<DeviceFinding, 'kind' | 'path'>,
  open: (options: TpmCollectorOptions) => Promise<TpmCollector | undefined>,
  next: readonly string[],
): Promise<DeviceFinding> {
  const state = await accessOf(finding.path);
  if (state === 'missing') return { ...finding, state, detail: 'There is no TPM.', next };
  if (state === 'not-permitted') {
    const step = 'Add the user of the enclave to the group of the device: `usermod -aG tss USER` on Debian.';
    return { ...finding, state, detail: 'This user may not read and write it.', next: [step] };
  }
  try {
    const collector = await open({ path: finding.path, eventLogPath: undefined });
    if (collector === undefined) return { ...finding, state: 'missing', detail: 'The TPM is not of this kind.', next };
    const { tee } = collector;
    await collector.close();
    const policy = { section: policySectionOf[tee] };
    return { ...finding, state: 'usable', detail: `Its indices are there: evidence is ${tee}.`, next: [], policy };
  } catch (error) {
    return { ...finding, state: 'not-working', ...faultOf(error) };
  }
}
