/** Android key attestation: parse, authenticate, appraise. Each stage takes what the one before it made. */
export { appraise } from './appraise.ts';
export type { ApplicationId } from './application-id.ts';
export { authenticate } from './authenticate.ts';
export type { AuthorizationList, RootOfTrust } from './authorization-list.ts';
export { decodeAndroidKeyEvidence, encodeAndroidKeyEvidence, encodeAndroidStatus } from './evidence.ts';
export type { KeyDescription } from './key-description.ts';
export { KEY_DESCRIPTION_OID, PROVISIONING_INFO_OID } from './layout.ts';
export { parse } from './parse.ts';
export type { AuthenticKey, ParsedKey } from './stages.ts';
