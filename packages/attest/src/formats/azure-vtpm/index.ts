/** Confidential VMs of Azure: parse, authenticate, appraise. Each stage takes what the one before it made. */
export type { QuoteContent } from '../tpm/content.ts';
export { encodeVtpmEndorsements, type VtpmEndorsements } from '../tpm/evidence.ts';
export type { AuthenticQuote, ParsedQuote } from '../tpm/stages.ts';
export { appraise } from './appraise.ts';
export { authenticate, type AuthenticMachine } from './authenticate.ts';
export { encodeAzureVtpmEvidence, type AzureVtpmEvidence } from './evidence.ts';
export type { AuthenticHardware, ParsedHardware } from './hardware.ts';
export { parse, type ClaimedMachine } from './parse.ts';
export type { RuntimeData } from './runtime-data.ts';
