/** Virtual TPMs of Google Compute Engine: parse, authenticate, appraise. Each stage takes what the one before it made. */
export type { QuoteContent } from '../tpm/content.ts';
export { encodeVtpmEndorsements, type VtpmEndorsements } from '../tpm/evidence.ts';
export type { AuthenticQuote, ParsedQuote } from '../tpm/stages.ts';
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export { encodeGcpVtpmEvidence, type GcpVtpmEvidence } from './evidence.ts';
export type { InstanceInfo } from './instance-info.ts';
export { parse, type ClaimedInstance } from './parse.ts';
