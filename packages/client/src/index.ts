export { actionFor, type ClientAction } from './action.ts';
export type { ClientEvent, ClientOptions, CompleteClientEndorsements, FastnessClient } from './fetch/client.ts';
export { createClient } from './fetch/create-client.ts';
export type { OuterFetch } from './fetch/outer.ts';
export { clientPolicySchema, parseClientPolicy, type ClientPolicy } from './policy.ts';
export { parseReceiptBundle, receiptBundleSchema, type ReceiptBundle } from './receipt/bundle.ts';
export { verifyReceiptBundle, type VerifiedReceipt } from './receipt/verify-bundle.ts';
export type { DeploymentScope, VerifiedEnclave } from './verify/verified-enclave.ts';
export { verifyEnclave } from './verify/verify-enclave.ts';
