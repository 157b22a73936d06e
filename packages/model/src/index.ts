export * from './floe/index.ts';
export * from './seal/index.ts';
export * from './shares/index.ts';
export { maxKeyShares, type KeyShareSet } from './key-shares.ts';
export { detectModel, type DetectedModel } from './detect/detect-model.ts';
export { createThreadPool, type ThreadPool } from './threads/pool.ts';
export {
  manifestSchema,
  modelEngines,
  modelIdPattern,
  modelTasks,
  parseManifest,
  sealedPathOf,
  type Manifest,
  type ManifestFile,
  type ModelEngine,
  type ModelTask,
} from './manifest.ts';
export * from './access/index.ts';
export * from './signing/index.ts';
export { parseUpstream, upstreamFile, upstreamSchema, type UpstreamSpec } from './upstream.ts';
