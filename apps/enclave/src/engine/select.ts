import type { EngineName, EngineRuntime } from './engine.ts';

/** Loaded only when a manifest names the engine: the other one's native code never enters the process. */
const runtimes: Readonly<Record<EngineName, () => Promise<EngineRuntime>>> = Object.freeze({
  llama: async () => (await import('./llama.ts')).llamaRuntime(),
  upstream: async () => (await import('./upstream/upstream.ts')).upstreamRuntime(),
  onnx: async () => (await import('./onnx.ts')).onnxRuntime(),
});

/** Throws ENCLAVE_ENGINE_UNAVAILABLE when the engine cannot run on this machine. Nothing about a model is needed yet. */
export function engineRuntime(name: EngineName): Promise<EngineRuntime> {
  return runtimes[name]();
}
