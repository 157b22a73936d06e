/** Arm PSA attestation tokens: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { decodePsaEvidence, encodePsaEvidence } from './evidence.ts';
export { armPsaMeasurement } from './measurement.ts';
export { parse } from './parse.ts';
export type { AuthenticToken, ParsedToken } from './stages.ts';
export type { PsaToken } from './token.ts';
