/** AWS Nitro Enclaves and NitroTPM: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export { authenticate } from './authenticate.ts';
export type { NitroDocument } from './document.ts';
export { decodeNitroEvidence, encodeNitroEvidence } from './evidence.ts';
export { nitroKinds, type NitroKind } from './layout.ts';
export { parse } from './parse.ts';
export type { AuthenticDocument, ParsedDocument } from './stages.ts';
