export * from './floe/index.ts';
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
export * from './signing/index.ts';
