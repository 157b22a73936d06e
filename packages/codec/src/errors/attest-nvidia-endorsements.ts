import type { ErrorFacts } from './class.ts';

const refetch =
  'Fetch the document from the RIM service again; if it persists, it is forged or was damaged on the way.';
const ask = 'Ask the OCSP responder again; if it persists, somebody interferes with its answers.';

const invalid = (message: string, next: string) => ({ class: 'invalid', message, next }) as const;
const denied = (message: string, next: string) => ({ class: 'denied', message, next }) as const;
const unavailable = (message: string, next: string) => ({ class: 'unavailable', message, next }) as const;
const notMine = (message: string, next: string) => ({ class: 'not-mine', message, next }) as const;

/** Codes of NVIDIA's reference integrity manifests (RIM) and OCSP responses, in the order in which the checks run. */
export const nvidiaEndorsementErrors = Object.freeze({
  // parse: one document
  NVIDIA_RIM_FORMAT: notMine(
    'The reference document is not a SWID tag in XML.',
    'Fetch the TCG (SWID) form of the document; CoRIM is not read.',
  ),
  NVIDIA_RIM_STRUCTURE: invalid('The reference document does not follow the shape of a SWID tag of NVIDIA.', refetch),
  NVIDIA_RIM_SIGNATURE_FORM: invalid(
    'The reference document does not carry one enveloped signature in the form that NVIDIA uses.',
    refetch,
  ),

  // which documents belong to the device
  NVIDIA_RIM_MISSING: unavailable(
    'A reference document that the report asks for was not handed in.',
    'Fetch the documents that neededEndorsements names, or waive NVIDIA_RIM_MISSING by name: nothing then vouches for the firmware.',
  ),
  NVIDIA_RIM_FOREIGN: invalid(
    'Reference documents were handed in, and none is for this product and version.',
    'Fetch the documents that neededEndorsements names.',
  ),
  NVIDIA_RIM_AMBIGUOUS: invalid(
    'Two different reference documents claim the same product and version.',
    'Hand in the one that neededEndorsements names.',
  ),

  // authenticate: one document
  NVIDIA_RIM_ROOT_NOT_PINNED: invalid(
    'The certificates of the reference document do not end in a pinned root key.',
    'Do not use this document: NVIDIA signs production documents under its CoRIM signing root.',
  ),
  NVIDIA_RIM_CHAIN: invalid('The certificates of the reference document are no chain that may sign it.', refetch),
  NVIDIA_RIM_VALIDITY: denied(
    'A certificate of the reference document is not valid at this time.',
    'Fetch the current document: NVIDIA signs them anew. Or waive NVIDIA_RIM_VALIDITY by name.',
  ),
  NVIDIA_RIM_CERTIFICATE_SIGNATURE: invalid(
    'A certificate of the reference document is not signed by its issuer.',
    refetch,
  ),
  NVIDIA_RIM_DIGEST: invalid('The reference document was changed after it was signed.', refetch),
  NVIDIA_RIM_SIGNATURE: invalid('The reference document is not signed by its certificate.', refetch),

  // OCSP
  NVIDIA_OCSP_MISSING: unavailable(
    'No OCSP response about a certificate was handed in, so whether it is revoked is unknown.',
    'Fetch responses for the device chain and the documents, or waive NVIDIA_OCSP_MISSING by name.',
  ),
  NVIDIA_OCSP_RESPONDER: invalid('The OCSP response comes from nobody whom the issuer authorised.', ask),
  NVIDIA_OCSP_SIGNATURE: invalid('The OCSP response, or the certificate of its responder, is not signed.', ask),
  NVIDIA_OCSP_NONCE: invalid('The OCSP response does not carry the expected nonce.', ask),
  NVIDIA_OCSP_NOT_YET_VALID: invalid('The OCSP response is dated in the future.', 'Check the clock of this machine.'),
  NVIDIA_OCSP_EXPIRED: invalid(
    'The OCSP response is past its next update or older than the policy allows.',
    'Fetch a current response, or waive NVIDIA_OCSP_EXPIRED by name.',
  ),
  NVIDIA_OCSP_UNKNOWN: denied('The OCSP responder does not know the certificate.', ask),
  NVIDIA_CERTIFICATE_HOLD: denied(
    'NVIDIA has put a certificate on hold, which may be final.',
    'Stop using the device or document until NVIDIA lifts the hold, or waive NVIDIA_CERTIFICATE_HOLD by name.',
  ),
  NVIDIA_CERTIFICATE_REVOKED: denied(
    'NVIDIA has revoked a certificate.',
    'Stop using the device, or update the firmware whose document was revoked.',
  ),
} as const satisfies Record<string, ErrorFacts>);
