import { join } from 'node:path';
import { policySectionOf } from '@fastness/attest';
import {
  NITRO_TPM_DEVICE,
  openAzureVtpm,
  openGcpVtpm,
  openNitroTpm,
  type TpmCollector,
  type TpmCollectorOptions,
} from '@fastness/evidence';
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

const NITRO_KIND = 'NitroTPM of an EC2 instance';
const nitroMissing = Object.freeze([
  'Give an instance of the Nitro system a NitroTPM: an AMI registered with `--tpm-support v2.0 --boot-mode uefi`.',
]);

/**
 * What a cloud put into the TPM; nothing is quoted of Azure and Google, since on Azure that may ask a service of the host. Of a
 * NitroTPM a document is asked for, for nobody: only that tells whether it makes any.
 */
export async function cloudVtpmDevices(options: {
  readonly root: string;
  /** Device, or the socket of an emulator (ending in `.sock`). */
  readonly path: string;
}): Promise<readonly DeviceFinding[]> {
  const { root, path } = options;
  const findings: DeviceFinding[] = [];
  // One after the other: an emulator speaks with one at a time.
  for (const { kind, open, next } of kinds) findings.push(await examineVtpm({ kind, path }, open, next));
  return [...findings, await nitroTpm(path, path.endsWith('.sock') ? path : join(root, NITRO_TPM_DEVICE))];
}

async function nitroTpm(path: string, documentPath: string): Promise<DeviceFinding> {
  const finding = { kind: NITRO_KIND, path };
  const state = await accessOf(path);
  if (state !== 'usable') return { ...finding, ...unusable(state, nitroMissing) };
  try {
    const collector = await openNitroTpm({ path, documentPath });
    if (collector === undefined)
      return { ...finding, state: 'missing', detail: 'The TPM is not of this kind.', next: nitroMissing };
    if ((await accessOf(documentPath)) !== 'usable') {
      const detail = `Documents are asked for through ${documentPath}, which this user may not read and write.`;
      const next = ['Run as root, or as the user `tss` on Debian; nitro-tpm-attest needs the same.'];
      return { ...finding, state: 'not-permitted', detail, next };
    }
    await collector.collect(new Uint8Array(64));
    const policy = { section: policySectionOf[collector.tee] };
    return {
      ...finding,
      state: 'usable',
      detail: `It makes documents: evidence is ${collector.tee}.`,
      next: [],
      policy,
    };
  } catch (error) {
    return { ...finding, state: 'not-working', ...faultOf(error) };
  }
}

function unusable(
  state: 'missing' | 'not-permitted',
  next: readonly string[],
): Pick<DeviceFinding, 'state' | 'detail' | 'next'> {
  if (state === 'missing') return { state, detail: 'There is no TPM.', next };
  const step = 'Add the user of the enclave to the group of the device: `usermod -aG tss USER` on Debian.';
  return { state, detail: 'This user may not read and write it.', next: [step] };
}

async function examineVtpm(
  finding: Pick<DeviceFinding, 'kind' | 'path'>,
  open: (options: TpmCollectorOptions) => Promise<TpmCollector | undefined>,
  next: readonly string[],
): Promise<DeviceFinding> {
  const state = await accessOf(finding.path);
  if (state !== 'usable') return { ...finding, ...unusable(state, next) };
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
