/** Reference integrity manifests of NVIDIA, for who fetches or reads them. */
export { authenticateRim } from './authenticate.ts';
export type { RimDocument } from './document.ts';
export type { RimWanted } from './ids.ts';
export { readRim } from './swid.ts';
