/** Reference integrity manifests of NVIDIA: read, choose, authenticate. */
export { authenticateRim, checkRim } from './authenticate.ts';
export type { RimDocument } from './document.ts';
export { productsOf, wantedRims, type RimWanted } from './ids.ts';
export { selectRims, type SelectedRim } from './select.ts';
export { readRim } from './swid.ts';
