import type { ErrorFacts } from './class.ts';
import { modelDiskErrors } from './model-disk.ts';
import { releaseErrors } from './release.ts';
import { sealErrors } from './seal.ts';

/** Codes of `model`. */
export const modelErrors = Object.freeze({
  ...releaseErrors,
  ...sealErrors,
  ...modelDiskErrors,
} as const satisfies Record<string, ErrorFacts>);
