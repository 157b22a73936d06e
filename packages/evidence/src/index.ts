/** Collecting evidence on this machine (Node). */
export type { CollectedEvidence, Collector, RuntimeEvent } from './collector.ts';
export { detectCollector, SIMULATED_TEE_VARIABLE, type DetectCollectorOptions } from './detect.ts';
export { errnoOf, readKernelFile } from './devices/kernel-file.ts';
export { CONFIGFS_TSM, openConfigfsTsm, type ConfigfsTsmOptions } from './devices/configfs-tsm.ts';
export { azureMaaCollector, type AzureMaaOptions } from './devices/azure-maa.ts';
export { fetchTdQuote } from './devices/azure-td-quote.ts';
export { azureIndices, gcpIndices, openAzureVtpm, openGcpVtpm, type AzureVtpmOptions } from './devices/cloud-vtpm.ts';
export {
  CONFIDENTIAL_SPACE_SOCKET,
  openConfidentialSpace,
  type ConfidentialSpaceOptions,
} from './devices/confidential-space.ts';
export { GRAMINE_ATTESTATION, openGramine, type GramineOptions } from './devices/gramine.ts';
export {
  intelTrustAuthorityCollector,
  INTEL_TRUST_AUTHORITY,
  type IntelTrustAuthorityOptions,
} from './devices/intel-trust-authority.ts';
export { NITRO_TPM_DEVICE, nitroTpmRuntimeRegister, openNitroTpm, type NitroTpmOptions } from './devices/nitro-tpm.ts';
export { openPsaCommand, type PsaCommandOptions } from './devices/psa-command.ts';
export {
  NSM_DEVICE,
  NSM_RUNTIME_PCR,
  nsmRuntimeRegister,
  openNsm,
  type NsmCollector,
  type NsmDescription,
  type NsmOptions,
} from './devices/nsm.ts';
export { NVML_LIBRARY } from './devices/nvidia/layout.ts';
export { openNvidiaGpus, type NvidiaGpus } from './devices/nvidia/gpus.ts';
export { NVATTEST_COMMAND, openNvattest, type NvattestOptions } from './devices/nvidia/nvattest.ts';
export type { NvmlGpu, NvmlOptions, NvmlSettings } from './devices/nvidia/nvml.ts';
export { openSevGuest, SEV_GUEST_DEVICE, type SevGuestOptions } from './devices/sev-guest.ts';
export { openTdxGuest, TDX_GUEST_DEVICE, type TdxGuestOptions } from './devices/tdx-guest.ts';
export { CCEL_DATA, CCEL_TABLE, openTdxLog, type TdxLog, type TdxLogOptions } from './devices/tdx-log.ts';
export type { StreamAddress } from './devices/vsock-exchange.ts';
export {
  openTdxRtmr,
  TDX_RTMR_FILE,
  TDX_RUNTIME_RTMR,
  tdxRuntimeRegister,
  type TdxRtmrOptions,
} from './devices/tdx-rtmr.ts';
export {
  FIRMWARE_EVENT_LOG,
  openTpmCollector,
  RUNTIME_PCR,
  TPM_DEVICE,
  type TpmCollector,
  type TpmCollectorOptions,
} from './devices/tpm.ts';
export { collectSession, type Machine, type MachineEvidence } from './machine.ts';
export { simulatedCollector, type SimulatedCollectorOptions } from './simulated.ts';
export { encodeRuntimeEvent } from '@fastness/attest/event-log';
