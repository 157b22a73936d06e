import './errors.ts';
export { defaultMessageLimits, type MessageLimits } from './bhttp/limits.ts';
export { paddedLength } from './bhttp/padding.ts';
export { type BinaryRequest } from './binary-request.ts';
export {
  requestDigestOf,
  responseDigestOf,
  startRequestDigest,
  startResponseDigest,
  type MessageDigest,
} from './digest.ts';
export { describeGatewayKeys, generateGatewayKeys, type GatewayKeys } from './gateway-keys.ts';
export { EhbpFrames } from './ehbp/frames.ts';
export { ehbpKeyHeader, ehbpKeyProblem, ehbpNonceHeader } from './ehbp/labels.ts';
export { type EhbpRequest, type OpenedEhbpRequest } from './ehbp/open-request.ts';
export { createGateway, defaultChunkInterval, defaultGatewayLimits, type Gateway } from './gateway.ts';
export { type GatewayLimits, type GatewayRequest, type OpenedRequest } from './open-request.ts';
export { kemX25519, kemXWing } from './hpke.ts';
export { leaseType, maxLeaseSeconds, openLease, signLease, verifyLease, type LeaseClaims } from './lease.ts';
export { parseKeyConfigList, type KeyConfig } from './ohttp/key-config.ts';
export { type OpenedResponse, type OpenResponseOptions, type ResponseEnd } from './open-response.ts';
export { createReceiptIssuer, type ReceiptIssuer } from './receipt-issuer.ts';
export {
  evidenceDigestOf,
  generateReceiptKey,
  receiptDigestOf,
  receiptType,
  signReceipt,
  verifyReceipt,
  type ReceiptClaims,
  type ReceiptKey,
} from './receipt.ts';
export { platformPrimitives } from './platform-primitives.ts';
export { webPrimitives, type AesGcm, type Awaitable, type Hkdf, type HpkeKem, type Primitives } from './primitives.ts';
export {
  adapterProtocols,
  defaultProtocol,
  outerTypesOf,
  protocolOfType,
  weaknessesOf,
  type ChannelProtocol,
  type OhttpProtocol,
} from './protocol.ts';
export { createReplayCache, type ReplayCache } from './replay-cache.ts';
export { prepareSeal, sealRequest, type PreparedSeal, type SealedRequest, type SealTarget } from './seal-request.ts';
export { type GatewayResponse } from './seal-response.ts';
export { takeRefusalSealer } from './sealed-refusal.ts';
export {
  hpkeOpen,
  hpkeSealTo,
  keyReleaseAad,
  keyReleaseInfo,
  releasePublicKey,
  sealedKeyFromJson,
  sealedKeyToJson,
  type HpkeMessage,
} from './sealed-key.ts';
export {
  generateIntakeKey,
  openDeliveredShare,
  sealShareTo,
  shareReleaseAad,
  shareReleaseInfo,
  type IntakeKeyPair,
} from './sealed-share.ts';
export { type SignBytes } from './signed-claims.ts';
export { signSuccession, successionType, verifySuccession } from './succession.ts';
export { collect, pullStream, streamSource, type MessageBody, type StreamSource } from './stream-source.ts';
