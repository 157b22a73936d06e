import '../errors.ts';
export {
  CMW_EXTENSION_OID,
  decodeEvidenceExtension,
  encodeEvidenceExtension,
  TLS_COLLECTION_TYPE,
  type TlsEvidence,
} from './extension.ts';
export {
  verifyTlsCertificate,
  verifyTlsConnection,
  type TlsPeerPolicy,
  type VerifiedTlsCertificate,
} from './verify-certificate.ts';
export { TLS_ALPN, tlsAnswerSchema, tlsHelloSchema, tlsWireLimits, type TlsAnswer } from './wire.ts';
