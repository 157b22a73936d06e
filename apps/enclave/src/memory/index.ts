export { createMemoryFile, type MemoryFile } from './memory-file.ts';
export { countSwapAreas, hardenProcess, readHardening, type HardeningFacts } from './hardening.ts';
