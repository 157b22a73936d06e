/** Arm CCA attestation tokens: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { decodeCcaEvidence, encodeCcaEvidence } from './evidence.ts';
export { armCcaProfiles } from './layout.ts';
export { parse } from './parse.ts';
export type { CcaPlatform } from './platform.ts';
export type { CcaRealm } from './realm.ts';
export type { AuthenticToken, ParsedToken } from './stages.ts';
