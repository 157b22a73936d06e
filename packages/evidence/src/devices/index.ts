import { access, constants } from 'node:fs/promises';
import type { Collector } from '../collector.ts';
import { openAzureVtpm, openGcpVtpm } from './cloud-vtpm.ts';
import { CONFIGFS_TSM, openConfigfsTsm } from './configfs-tsm.ts';
import { GRAMINE_ATTESTATION, openGramine } from './gramine.ts';
import { openNitroTpm } from './nitro-tpm.ts';
import { NSM_DEVICE, openNsm } from './nsm.ts';
import { openSevGuest, SEV_GUEST_DEVICE } from './sev-guest.ts';
import { openTdxGuest, TDX_GUEST_DEVICE } from './tdx-guest.ts';
import { openTpmCollector, TPM_DEVICE } from './tpm.ts';

/** A kind of device that can be the root of trust of a machine. */
interface DeviceKind {
  /** For people: what was looked for, and where. */
  readonly name: string;
  /** The collector, or undefined where the machine has no such device. */
  open(): Promise<Collector | undefined>;
}

/**
 * Devices in the order in which they are tried: what protects memory comes before what only tells how the machine booted.
 * `collectSession` takes the first that is there.
 */
export const cpuDevices: readonly DeviceKind[] = Object.freeze([
  { name: `SEV-SNP, TDX or CCA (${CONFIGFS_TSM})`, open: () => openConfigfsTsm() },
  {
    name: `SEV-SNP (${SEV_GUEST_DEVICE})`,
    open: async () => ((await isUsable(SEV_GUEST_DEVICE)) ? openSevGuest() : undefined),
  },
  {
    name: `TDX (${TDX_GUEST_DEVICE})`,
    open: async () => ((await isUsable(TDX_GUEST_DEVICE)) ? await openTdxGuest() : undefined),
  },
  { name: `SGX under Gramine (${GRAMINE_ATTESTATION})`, open: () => openGramine() },
  {
    name: `Nitro security module (${NSM_DEVICE})`,
    open: async () => ((await isUsable(NSM_DEVICE)) ? await openNsm() : undefined),
  },
  {
    name: `virtual TPM of an Azure confidential VM (${TPM_DEVICE})`,
    open: async () => ((await isUsable(TPM_DEVICE)) ? await openAzureVtpm() : undefined),
  },
  {
    name: `virtual TPM of Google Compute Engine (${TPM_DEVICE})`,
    open: async () => ((await isUsable(TPM_DEVICE)) ? await openGcpVtpm() : undefined),
  },
  {
    name: `NitroTPM of an EC2 instance (${TPM_DEVICE})`,
    open: async () => ((await isUsable(TPM_DEVICE)) ? await openNitroTpm() : undefined),
  },
  {
    name: `TPM 2.0 (${TPM_DEVICE})`,
    open: async () => ((await isUsable(TPM_DEVICE)) ? await openTpmCollector() : undefined),
  },
]);

async function isUsable(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
