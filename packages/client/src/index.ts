export { actionFor, fastnessErrorIn, type ClientAction } from './action.ts';
export type {
  ClientEvent,
  ClientOptions,
  CompleteClientEndorsements,
  Conversation,
  FastnessClient,
} from './fetch/client.ts';
export { createClient } from './fetch/create-client.ts';
export type { DirectTransport, TlsConnection } from './fetch/direct.ts';
export type { OuterFetch } from './fetch/outer.ts';
export { type ClientMemory, type Remembered } from './memory.ts';
export { clientPolicySchema, parseClientPolicy, type ClientPolicy } from './policy.ts';
export { parseReceiptBundle, receiptBundleSchema, type ReceiptBundle } from './receipt/bundle.ts';
export {
  conversationSchema,
  parseConversation,
  receiptsOf,
  verifyConversations,
  type ConversationFile,
  type VerifiedConversation,
} from './receipt/conversation.ts';
export { verifyReceiptBundle, type VerifiedReceipt } from './receipt/verify-bundle.ts';
export type { HeldLease } from './verify/check-lease.ts';
export type { LoggedRelease } from './verify/check-logged.ts';
export { devicesOf, hardwareFactsOf, hardwareOf, machineOf, type DescribedDevice } from './verify/describe.ts';
export type { DeploymentScope, VerifiedEnclave } from './verify/verified-enclave.ts';
/** What owner keys are called by: SHA-256 of the key in PEM, hex, as `fastness keys public` writes it. */
export { keyIdOf } from '@fastness/model/release';
export { verifyEnclave } from './verify/verify-enclave.ts';
