/** Media types of the outer HTTP messages (chunked OHTTP draft 08, section 3; RFC 9458, sections 3.2 and 9). */
export const mediaTypes = Object.freeze({
  chunkedRequest: 'message/ohttp-chunked-req',
  chunkedResponse: 'message/ohttp-chunked-res',
  plainRequest: 'message/ohttp-req',
  plainResponse: 'message/ohttp-res',
  keyConfig: 'application/ohttp-keys',
} as const);

/** Name of the trailer field that carries a response's receipt: base64url of a COSE_Sign1. */
export const receiptTrailer = 'fastness-receipt';

/**
 * Name of the inner request header that names the evidence the client verified: base64url of its 32-byte digest. The
 * enclave puts that digest into the receipt, so that a receipt points at the evidence its owner holds. Nothing is won by
 * naming false evidence: whoever checks a receipt checks the evidence itself.
 */
export const evidenceHeader = 'fastness-evidence';

/**
 * Name of the inner response header that says: the enclave refused the exchange, with this code of the registry, and there is
 * no receipt. It is inside the sealed response, so nobody but the enclave can have set it.
 */
export const errorHeader = 'fastness-error';

/**
 * Name of the inner request header that names the receipt before this one in a conversation: base64url of its 32-byte digest
 * (`receiptDigestOf`). The enclave puts it into the receipt, so that whoever holds the receipts can tell a gap, a swap or a
 * receipt of another conversation.
 */
export const previousHeader = 'fastness-previous';
