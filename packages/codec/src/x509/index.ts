export { parseCertificate } from './certificate.ts';
export { verifyChain } from './chain.ts';
export { checkCrlWindow, checkNotRevoked, checkValidity } from './checks.ts';
export { parseCrl } from './crl.ts';
export { checkCriticalExtensions, extensionOids, keyUsageNames } from './extensions.ts';
export { checkKeyFits, importSpki, type KeyHolder } from './import-key.ts';
export { parseSpki } from './spki.ts';
export { fieldBytes, type CurveName, type PublicKeyInfo } from './public-key.ts';
export type { HashName, SignatureAlgorithm } from './signature-algorithm.ts';
export { webCryptoVerifier, type SignatureCheck, type SignatureVerifier } from './signature-verifier.ts';
export type {
  BasicConstraints,
  Certificate,
  Crl,
  Extension,
  KeyUsage,
  Name,
  RevokedCertificate,
  SignedObject,
} from './types.ts';
export { verifyRawSignature, verifySignature, verifySignedBy } from './verify.ts';
