import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { NativeMemory } from '../native.ts';
import {
  architectures,
  CHAIN,
  malformed,
  MAX_GPUS,
  multiGpuModes,
  NVML_LIBRARY,
  NVML_NONCE_BYTES,
  REPORT,
  SETTINGS_BYTES,
  SETTINGS_VERSION,
  STATE_BYTES,
  UUID_BYTES,
} from './layout.ts';
import { openLibrary, type Question } from './library.ts';

export interface NvmlOptions {
  /** Default: {@link NVML_LIBRARY}, where the loader finds it. */
  readonly library?: string;
  /** Milliseconds that one call may take. A GPU takes a second or two for a report. Default: 30,000. */
  readonly timeoutMs?: number;
}

/** What the driver says of all GPUs together. */
export interface NvmlSettings {
  readonly confidentialComputing: boolean;
  readonly developerTools: boolean;
  /** Undefined: a driver that cannot say. */
  readonly multiGpuMode: 'none' | 'protected-pcie' | 'nvle' | undefined;
  /** Whether the GPUs take work; somebody has to say so after attestation. Undefined: a driver that cannot say. */
  readonly ready: boolean | undefined;
}

export interface NvmlGpu {
  readonly index: number;
  /** For instance GPU-5f1c...; it names the device for people, and proves nothing. */
  readonly uuid: string;
  readonly architecture: 'hopper' | 'blackwell' | 'other';
  /** nvmlDevice_t. */
  readonly handle: bigint;
}

/** NVML, initialised. */
export interface Nvml {
  gpus(): Promise<readonly NvmlGpu[]>;
  settings(): Promise<NvmlSettings>;
  /** SPDM request and response. The nonce has 32 bytes. */
  report(gpu: NvmlGpu, nonce: Uint8Array): Promise<Uint8Array>;
  /** The chain of the attestation key: PEM, leaf first. */
  certificates(gpu: NvmlGpu): Promise<Uint8Array>;
  close(): Promise<void>;
}

const nothing: Question<undefined> = { bytes: 4, parameters: () => [], read: () => undefined };
const word: Question<number> = { bytes: 4, read: ({ view }) => view.getUint32(0, true) };

/**
 * Loads and initialises the library.
 * @throws EVIDENCE_NATIVE, EVIDENCE_TIMEOUT, EVIDENCE_REFUSED, EVIDENCE_GPU_DRIVER, EVIDENCE_GPU_DRIVER_VERSION,
 *   EVIDENCE_GPU_PERMISSION; every method: the same, EVIDENCE_GPU_UNSUPPORTED, EVIDENCE_GPU_ABSENT, EVIDENCE_RESPONSE
 */
export async function openNvml({ library = NVML_LIBRARY, timeoutMs = 30_000 }: NvmlOptions = {}): Promise<Nvml> {
  const ask = openLibrary(library, timeoutMs);
  await ask('nvmlInit_v2', nothing);
  return Object.freeze<Nvml>({
    async gpus() {
      const count = await ask('nvmlDeviceGetCount_v2', word);
      if (count > MAX_GPUS) throw malformed(`${count} GPUs`);
      const found: NvmlGpu[] = [];
      for (let index = 0; index < count; index += 1) {
        const handle = await ask('nvmlDeviceGetHandleByIndex_v2', {
          bytes: 8,
          parameters: (address) => [index, address],
          read: ({ view }) => view.getBigUint64(0, true),
        });
        const uuid = await ask('nvmlDeviceGetUUID', {
          bytes: UUID_BYTES,
          parameters: (address) => [handle, address, UUID_BYTES],
          read: readUuid,
        });
        const architecture = await ask('nvmlDeviceGetArchitecture', {
          ...word,
          parameters: (address) => [handle, address],
        });
        found.push(Object.freeze({ index, uuid, architecture: architectures[architecture] ?? 'other', handle }));
      }
      if (new Set(found.map(({ uuid }) => uuid)).size !== found.length) throw malformed('two GPUs of one UUID');
      return found;
    },
    async settings() {
      const ready = await ask('nvmlSystemGetConfComputeGpusReadyState', word).catch(unlessSupported);
      const whole = await ask('nvmlSystemGetConfComputeSettings', {
        bytes: SETTINGS_BYTES,
        prepare: ({ view }) => view.setUint32(0, SETTINGS_VERSION, true),
        read: ({ view }) => ({ ...readSettings(view, 8), multiGpuMode: readMultiGpuMode(view.getUint32(16, true)) }),
      }).catch(unlessSupported);
      const told =
        whole ??
        (await ask('nvmlSystemGetConfComputeState', {
          bytes: STATE_BYTES,
          read: ({ view }) => ({ ...readSettings(view, 4), multiGpuMode: undefined }),
        }));
      return Object.freeze({ ...told, ready: ready === undefined ? undefined : ready !== 0 });
    },
    report: ({ handle }, nonce) =>
      ask('nvmlDeviceGetConfComputeGpuAttestationReport', {
        bytes: REPORT.bytes,
        prepare: ({ bytes }) => bytes.set(nonce.subarray(0, NVML_NONCE_BYTES), REPORT.nonceAt),
        parameters: (address) => [handle, address],
        read: (memory) => sized(memory, REPORT, 'a report'),
      }),
    certificates: ({ handle }) =>
      ask('nvmlDeviceGetConfComputeGpuCertificate', {
        bytes: CHAIN.bytes,
        parameters: (address) => [handle, address],
        read: (memory) => sized(memory, CHAIN, 'a chain'),
      }),
    close: () => ask('nvmlShutdown', nothing).catch(() => {}),
  });
}

/** A refusal that says that driver or hardware have no such thing; the caller has another way. */
function unlessSupported(error: unknown): undefined {
  const absent: readonly string[] = ['EVIDENCE_GPU_UNSUPPORTED', 'EVIDENCE_GPU_DRIVER_VERSION'];
  if (error instanceof FastnessError && absent.includes(error.code)) return undefined;
  throw error;
}

function readSettings(view: DataView, at: number): Pick<NvmlSettings, 'confidentialComputing' | 'developerTools'> {
  const [feature, tools] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
  // What is neither on nor off is not taken for the better of the two.
  if (feature > 1 || tools > 1) throw malformed(`settings ${feature} and ${tools}`);
  return { confidentialComputing: feature === 1, developerTools: tools === 1 };
}

function readMultiGpuMode(value: number): NvmlSettings['multiGpuMode'] {
  const mode = multiGpuModes[value];
  if (mode === undefined) throw malformed(`multi-GPU mode ${value}`);
  return mode;
}

function readUuid({ bytes }: NativeMemory): string {
  const end = bytes.indexOf(0);
  const text = end < 0 ? '' : String.fromCharCode(...bytes.subarray(0, end));
  if (!/^[A-Za-z]{3,8}-[0-9A-Fa-f-]{8,80}$/.test(text)) throw malformed(`UUID ${toHex(bytes.slice(0, 16))}`);
  return text;
}

/** A copy of as many bytes as the driver states, which may be no more than the structure has. */
function sized({ bytes, view }: NativeMemory, layout: typeof REPORT | typeof CHAIN, what: string): Uint8Array {
  const size = view.getUint32(layout.sizeAt, true);
  if (size === 0 || size > layout.most) throw malformed(`${what} of ${size} bytes`);
  return bytes.slice(layout.at, layout.at + size);
}
