import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

type Koffi = typeof import('koffi').default;

/** One GPU of the fake driver. */
export interface FakeGpu {
  readonly uuid?: string;
  /** NVML_DEVICE_ARCH_...; default: Hopper. */
  readonly architecture?: number;
  readonly report?: Uint8Array;
  /** Size that is stated of the report. Default: its own. */
  readonly reportSize?: number;
  /** PEM. */
  readonly chain?: Uint8Array;
  readonly chainSize?: number;
  /** Writes the nonce that it is asked with into the report, whose signature is wrong then. */
  readonly echoes?: boolean;
}

export interface FakeNvml {
  readonly library: string;
  /** Replaces everything: GPUs, the state (ccFeature, devToolsMode, multiGpuMode) and what functions return. */
  set(
    gpus: readonly FakeGpu[],
    state?: { readonly cc?: number; readonly tools?: number; readonly multi?: number; readonly ready?: number },
    returns?: Readonly<Record<string, number>>,
  ): void;
  /** The nonce that a GPU was asked with last. */
  nonceOf(index: number): Uint8Array;
  /** nvmlInit_v2 less nvmlShutdown. */
  open(): number;
  /** Until it is let go, nvmlInit_v2 does not return. */
  hold(held: boolean): void;
}

/** koffi unloads a library whose object and functions are collected, and then it forgets its GPUs. */
const kept: unknown[] = [];

/** The structures as nvml.h declares them: the code under test has offsets instead. */
const source = `
#include <pthread.h>
#include <stdint.h>
#include <string.h>
typedef struct { unsigned environment, ccFeature, devToolsMode; } state_t;
typedef struct { unsigned version, environment, ccFeature, devToolsMode, multiGpuMode; } settings_t;
typedef struct {
  unsigned certChainSize, attestationCertChainSize;
  unsigned char certChain[0x1000], attestationCertChain[0x1400];
} certificate_t;
typedef struct {
  unsigned isCecAttestationReportPresent, attestationReportSize, cecAttestationReportSize;
  unsigned char nonce[0x20], attestationReport[0x2000], cecAttestationReport[0x1000];
} report_t;
static struct gpu {
  char uuid[96];
  unsigned architecture, echoes, reportSize, reportStated, chainSize, chainStated;
  unsigned char report[0x2000], chain[0x1400], nonce[0x20];
} gpus[8];
static unsigned count, cc, tools, multi, ready;
static int opened;
static struct { char name[64]; int value; } returns[16];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int held;
static int said(const char *name) {
  for (int i = 0; i < 16; i++) if (strcmp(returns[i].name, name) == 0) return returns[i].value;
  return 0;
}
#define REFUSE if (said(__func__)) return said(__func__)
void fake_reset(unsigned count_, unsigned cc_, unsigned tools_, unsigned multi_, unsigned ready_) {
  memset(gpus, 0, sizeof gpus); memset(returns, 0, sizeof returns);
  count = count_; cc = cc_; tools = tools_; multi = multi_; ready = ready_;
}
void fake_return(unsigned i, const char *name, int value) {
  strncpy(returns[i].name, name, 63); returns[i].value = value;
}
void fake_gpu(unsigned i, const char *uuid, unsigned architecture, const uint8_t *report, unsigned size, unsigned stated,
              const uint8_t *chain, unsigned chainSize, unsigned chainStated, unsigned echoes) {
  gpus[i].echoes = echoes;
  strncpy(gpus[i].uuid, uuid, 95); gpus[i].architecture = architecture;
  memcpy(gpus[i].report, report, size); gpus[i].reportSize = size; gpus[i].reportStated = stated;
  memcpy(gpus[i].chain, chain, chainSize); gpus[i].chainSize = chainSize; gpus[i].chainStated = chainStated;
}
void fake_nonce(unsigned i, uint8_t *out) { memcpy(out, gpus[i].nonce, 0x20); }
int fake_open(void) { return opened; }
void fake_hold(int value) {
  pthread_mutex_lock(&gate); held = value; pthread_cond_broadcast(&moved); pthread_mutex_unlock(&gate);
}
int nvmlInit_v2(void) {
  pthread_mutex_lock(&gate); while (held) pthread_cond_wait(&moved, &gate); pthread_mutex_unlock(&gate);
  REFUSE; opened++; return 0;
}
int nvmlShutdown(void) { opened--; return 0; }
int nvmlDeviceGetCount_v2(unsigned *out) { REFUSE; *out = count; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, struct gpu **out) { REFUSE; *out = &gpus[i]; return 0; }
int nvmlDeviceGetUUID(struct gpu *gpu, char *out, unsigned length) {
  REFUSE; if (length < sizeof gpu->uuid) return 7; memcpy(out, gpu->uuid, sizeof gpu->uuid); return 0;
}
int nvmlDeviceGetArchitecture(struct gpu *gpu, unsigned *out) { REFUSE; *out = gpu->architecture; return 0; }
int nvmlDeviceGetConfComputeGpuCertificate(struct gpu *gpu, certificate_t *out) {
  REFUSE; memcpy(out->attestationCertChain, gpu->chain, gpu->chainSize);
  out->attestationCertChainSize = gpu->chainStated; return 0;
}
#ifndef NO_REPORTS
int nvmlDeviceGetConfComputeGpuAttestationReport(struct gpu *gpu, report_t *out) {
  REFUSE; memcpy(gpu->nonce, out->nonce, 0x20); if (gpu->echoes) memcpy(gpu->report + 4, out->nonce, 0x20);
   memcpy(out->attestationReport, gpu->report, gpu->reportSize);
  out->attestationReportSize = gpu->reportStated; return 0;
}
#endif
int nvmlSystemGetConfComputeState(state_t *out) {
  REFUSE; out->environment = 2; out->ccFeature = cc; out->devToolsMode = tools; return 0;
}
#ifndef NO_SETTINGS
int nvmlSystemGetConfComputeSettings(settings_t *out) {
  REFUSE; if (out->version != (sizeof *out | 1 << 24)) return 25;
  out->environment = 2; out->ccFeature = cc; out->devToolsMode = tools; out->multiGpuMode = multi; return 0;
}
int nvmlSystemGetConfComputeGpusReadyState(unsigned *out) { REFUSE; *out = ready; return 0; }
#endif
`;

const uuidOf = (index: number): string => `GPU-0000000${index}-1111-2222-3333-444444444444`;

/** A library like NVIDIA's, compiled now. `without`: a function, or functions, that older drivers do not have. */
export function buildFakeNvml(folder: string, without?: 'NO_REPORTS' | 'NO_SETTINGS'): FakeNvml {
  const library = join(folder, `libfake-nvml${without ?? ''}.so`);
  const code = join(folder, 'fake-nvml.c');
  writeFileSync(code, source);
  const flags = `-shared -fPIC -pthread -Wall -Werror -Wno-stringop-truncation -D${without ?? 'EVERYTHING'}`;
  const built = spawnSync('gcc', [...flags.split(' '), '-o', library, code]);
  if (built.status !== 0) throw new Error(`gcc: ${String(built.stderr)}`);
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const loaded = koffi.load(library);
  kept.push(loaded);
  const reset = loaded.func('void fake_reset(uint32, uint32, uint32, uint32, uint32)');
  const returns = loaded.func('void fake_return(uint32, const char *, int)');
  const gpu = loaded.func(
    'void fake_gpu(uint32, const char *, uint32, const uint8_t *, uint32, uint32, const uint8_t *, uint32, uint32, uint32)',
  );
  const nonce = loaded.func('void fake_nonce(uint32, _Out_ uint8_t *)');
  const open = loaded.func('int fake_open()');
  const hold = loaded.func('void fake_hold(int)');
  return {
    library,
    set(gpus, { cc = 1, tools = 0, multi = 0, ready = 1 } = {}, values = {}) {
      reset(gpus.length, cc, tools, multi, ready);
      for (const [index, [name, value]] of Object.entries(values).entries()) returns(index, name, value);
      for (const [index, one] of gpus.entries()) {
        const { uuid = uuidOf(index), architecture = 9, report = new Uint8Array(1), chain = new Uint8Array(1) } = one;
        const { reportSize = report.length, chainSize = chain.length, echoes = false } = one;
        gpu(
          index,
          uuid,
          architecture,
          report,
          report.length,
          reportSize,
          chain,
          chain.length,
          chainSize,
          echoes ? 1 : 0,
        );
      }
    },
    nonceOf(index) {
      const bytes = new Uint8Array(32);
      nonce(index, bytes);
      return bytes;
    },
    open: () => Number(open()),
    hold: (held) => void hold(held ? 1 : 0),
  };
}
