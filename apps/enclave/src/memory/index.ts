export { createMemoryFile, type MemoryFile, type MemoryFileOptions, type MemoryKind } from './memory-file.ts';
export { countSwapAreas, hardenProcess, readHardening, type HardeningFacts } from './hardening.ts';
