import { FastnessError } from '@fastness/codec/errors';
import { requireReportData, type Collector } from '../../collector.ts';
import { chainOf, wrapNvidia } from './evidence.ts';
import { openNvml, type Nvml, type NvmlGpu, type NvmlOptions, type NvmlSettings } from './nvml.ts';

/** The GPUs of a machine, each with a collector of its own. */
export interface NvidiaGpus {
  readonly gpus: readonly NvmlGpu[];
  /** As they were when the GPUs were opened; evidence states them anew. */
  readonly settings: NvmlSettings;
  /** By label, for `collectSession`: gpu0, gpu1, ... in the order of the driver. */
  readonly collectors: ReadonlyMap<string, Collector>;
  /** Collectors must not be used afterwards. */
  close(): Promise<void>;
}

/**
 * Opens every GPU that NVIDIA's driver has, through NVML. All or none: one that cannot attest is where an engine could
 * compute unseen, so it is an error and never left out.
 * What the driver says of confidential computing and developer tools goes into the evidence beside the GPU's own report; it
 * is as good as the guest that runs the driver. Reports of embedded controllers (CEC), which some boards have, are not asked
 * for by verifiers and are left out.
 * @throws EVIDENCE_NATIVE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_RESPONSE, EVIDENCE_GPU_DRIVER,
 *   EVIDENCE_GPU_DRIVER_VERSION, EVIDENCE_GPU_ABSENT, EVIDENCE_GPU_UNSUPPORTED, EVIDENCE_GPU_CC_OFF, EVIDENCE_GPU_PERMISSION
 */
export async function openNvidiaGpus(options: NvmlOptions = {}): Promise<NvidiaGpus> {
  const nvml = await openNvml(options);
  try {
    const gpus = await nvml.gpus();
    if (gpus.length === 0) throw new FastnessError('EVIDENCE_GPU_ABSENT', 'NVML counts no GPU.');
    const other = gpus.find(({ architecture }) => architecture === 'other');
    if (other !== undefined) throw new FastnessError('EVIDENCE_GPU_UNSUPPORTED', `${other.uuid} is older or unknown.`);
    const settings = await settingsOf(nvml);
    const collectors = new Map(gpus.map((gpu) => [`gpu${gpu.index}`, collectorOf(nvml, gpu)]));
    return Object.freeze({ gpus, settings, collectors, close: () => nvml.close() });
  } catch (error) {
    await nvml.close();
    throw error;
  }
}

function collectorOf(nvml: Nvml, gpu: NvmlGpu): Collector {
  const name = `nvml ${gpu.uuid}`;
  return Object.freeze<Collector>({
    name,
    tee: 'nvidia-gpu',
    simulated: false,
    detect: async () => ({ present: true, detail: `${gpu.architecture} GPU ${gpu.uuid}` }),
    collect: async (nonce) => {
      requireReportData('nvidia-gpu', nonce);
      const { confidentialComputing, developerTools } = await settingsOf(nvml);
      const report = await nvml.report(gpu, nonce);
      const certificates = chainOf(await nvml.certificates(gpu), name);
      const settings = { confidentialComputing, developerTools };
      return wrapNvidia({ tee: 'nvidia-gpu', report, certificates, settings }, nonce, name);
    },
  });
}

/** Throws EVIDENCE_GPU_CC_OFF: there are no reports without confidential computing or protected PCIe. */
async function settingsOf(nvml: Nvml): Promise<NvmlSettings> {
  const settings = await nvml.settings().catch((error: unknown) => {
    // GPUs that could attest, and a driver to which confidential computing means nothing.
    if (error instanceof FastnessError && error.code === 'EVIDENCE_GPU_UNSUPPORTED') {
      throw new FastnessError('EVIDENCE_GPU_CC_OFF', error.message, { cause: error });
    }
    throw error;
  });
  if (!settings.confidentialComputing && settings.multiGpuMode !== 'protected-pcie') {
    throw new FastnessError('EVIDENCE_GPU_CC_OFF', 'NVML: ccFeature is 0.');
  }
  return settings;
}
