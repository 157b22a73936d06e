/** OCSP responses (RFC 6960): a strict reader, and the questions that a verifier asks of what it read. */
export { answerFor, authorisedResponder } from './match.ts';
export { parseOcspResponse } from './parse.ts';
export type {
  OcspAnswer,
  OcspCertificateId,
  OcspHashName,
  OcspResponderId,
  OcspResponse,
  OcspStatus,
} from './types.ts';
