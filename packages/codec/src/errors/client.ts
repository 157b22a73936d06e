import type { ErrorFacts } from './class.ts';

const distrust = 'Do not use the answer. The enclave, or someone who took its place, does not prove what it did.';

/** Codes of `client`. */
export const clientErrors = Object.freeze({
  CLIENT_POLICY_INVALID: {
    class: 'usage',
    message: 'The client policy is not valid.',
    next: 'Correct the members that the detail names.',
  },
  CLIENT_POLICY_PIN: {
    class: 'invalid',
    message: 'The fingerprint is neither that of the policy nor that of an owner key in it.',
    next: 'Compare it with the owner once more, by a way that nobody in between controls. If it is right, the policy is not the one the owner means: get it anew.',
  },
  CLIENT_OPTION_INVALID: {
    class: 'usage',
    message: 'An option of the client is not valid.',
    next: 'Correct the option that the detail names.',
  },
  CLIENT_MEMORY_INVALID: {
    class: 'conflict',
    message: 'What the client remembers of earlier versions cannot be read.',
    next: 'Find out who wrote to it. Delete it only when an older release or owner set would be no harm.',
  },
  CLIENT_RELEASE_UNLOGGED: {
    class: 'denied',
    message: 'The policy asks for a proof that the release was logged, and the enclave sent none.',
    next: 'Ask the owner of the model for a release that names the log of its broker (logKey), or whoever runs the enclave for one that passes the proof on.',
  },
  CLIENT_LOG_FOREIGN: {
    class: 'denied',
    message: 'The proof is of another log than the policy names.',
    next: 'Do not use the enclave. If its broker has a new log, add its key to transparency.logKeys of the policy, after verifying it.',
  },
  CLIENT_LOG_PROOF_OLD: {
    class: 'denied',
    message: 'Too few witnesses cosigned the log recently enough.',
    next: 'Try again after the enclave has renewed its lease. If it stays so, the enclave is cut off from its broker, or the broker from its witnesses.',
  },
  CLIENT_URL_REFUSED: {
    class: 'usage',
    message: 'The request is not for the API of an enclave.',
    next: 'Send https requests whose path begins with /v1/; the host is ignored.',
  },
  CLIENT_REQUEST_INVALID: {
    class: 'usage',
    message: 'The arguments of fetch do not make a request.',
    next: 'Pass an absolute URL and what fetch accepts; a GET or HEAD has no body.',
  },
  CLIENT_TLS_UNBOUND: {
    class: 'invalid',
    message: 'The evidence is not bound to the TLS connection.',
    next: 'Do not use the enclave over this address: something in between asked on behalf of the client. Connect to the address that the enclave has under tls, or go through a relay without directTls.',
  },
  CLIENT_TLS_EXPORTER: {
    class: 'invalid',
    message: 'The evidence was made for another TLS connection than the one to this client.',
    next: 'Do not use the enclave over this address: somebody in between ends TLS. Find out who, or go through a relay without directTls, which needs no trust in TLS.',
  },
  CLIENT_TLS_KEY: {
    class: 'invalid',
    message: 'The connection shows another TLS key than the enclave that was verified.',
    next: 'Verify the enclave again. If it stays so, somebody in between ends TLS on some connections.',
  },
  CLIENT_UNREACHABLE: {
    class: 'unavailable',
    message: 'The relay or enclave cannot be reached.',
    next: 'Check the URL of the client and the network, then try again.',
  },
  CLIENT_TIMEOUT: {
    class: 'unavailable',
    message: 'The relay or enclave did not answer in time.',
    next: 'Try again. For an enclave that needs longer, raise attestTimeoutMs or responseTimeoutMs of the client.',
  },
  CLIENT_REFUSED: {
    class: 'unavailable',
    message: 'The relay or enclave refused the exchange.',
    next: 'See the status in the detail; whoever answered is not authenticated at this point.',
  },
  CLIENT_RESPONSE_TYPE: {
    class: 'invalid',
    message: 'The answer is not what the channel carries.',
    next: 'Check that the URL leads to a Fastness relay or enclave and that no proxy rewrites its answers.',
  },
  CLIENT_REQUEST_REFUSED: {
    class: 'unavailable',
    message: 'The enclave answered the request with an error.',
    next: 'See its message in the detail; it came through the channel.',
  },
  CLIENT_ANSWER_UNFINISHED: {
    class: 'unavailable',
    message: 'The answer stops before its end.',
    next: 'Ask again. Its receipt proves that the enclave sent this much, not that it is all.',
  },
  CLIENT_UNEXPECTED: {
    class: 'internal',
    message: 'The client met a fault that it does not know.',
    next: 'Report it with the detail.',
  },
  CLIENT_NONCE_MISMATCH: {
    class: 'invalid',
    message: 'The attestation answers another nonce.',
    next: 'Verify again; an old attestation was replayed, or answers were mixed up.',
  },
  CLIENT_MEASUREMENT_UNLISTED: {
    class: 'denied',
    message: 'No measurement that the policy accepts is in the release for this kind of evidence.',
    next: 'Ask the owner for a release that lists the measurement of the image, or correct the policy.',
  },
  CLIENT_DEPLOYMENT_UNPROVED: {
    class: 'denied',
    message: 'The enclave does not show that the broker of the owner let it serve.',
    next: 'Check the URL: this may be a genuine enclave of somebody else. Remove deployment from the policy to accept any.',
  },
  CLIENT_LEASE_RELEASE: {
    class: 'invalid',
    message: 'The lease that the enclave shows is for another release.',
    next: distrust,
  },
  CLIENT_LEASE_KEYS: {
    class: 'invalid',
    message: 'The lease that the enclave shows was granted to another enclave.',
    next: distrust,
  },
  CLIENT_LEASE_SHARES: {
    class: 'denied',
    message: 'Fewer brokers than the release asks for are shown to let the enclave serve.',
    next: 'Check the URL, and ask the operators of the brokers: an enclave that as many still trust shows all their leases.',
  },
  CLIENT_LEASE_TIME: {
    class: 'denied',
    message: 'The lease that the enclave shows is over, or not of this time.',
    next: 'Compare the clocks of client and broker; if they agree, the broker took the permission to serve away.',
  },
  CLIENT_MODEL_MISMATCH: {
    class: 'denied',
    message: 'The enclave serves another model than the policy asks for.',
    next: 'Check the URL, or the model in the policy.',
  },
  CLIENT_TRAFFIC: {
    class: 'denied',
    message: 'The release does not promise to hide sizes and times as the policy asks.',
    next: 'Ask the owner for a release signed with that traffic profile, or ask for less in the policy.',
  },
  CLIENT_RECEIPT_MISSING: { class: 'invalid', message: 'The response has no receipt.', next: distrust },
  CLIENT_RECEIPT_INVALID: {
    class: 'invalid',
    message: 'The receipt is malformed or its signature does not verify.',
    next: distrust,
  },
  CLIENT_RECEIPT_REQUEST: { class: 'invalid', message: 'The receipt is for another request.', next: distrust },
  CLIENT_RECEIPT_RESPONSE: { class: 'invalid', message: 'The receipt is for another response.', next: distrust },
  CLIENT_RECEIPT_RELEASE: {
    class: 'invalid',
    message: 'The receipt names another release than the one that was verified.',
    next: distrust,
  },
  CLIENT_RECEIPT_KEYS: {
    class: 'invalid',
    message: 'The receipt names other enclave keys than the ones that were verified.',
    next: distrust,
  },
  CLIENT_RECEIPT_EVIDENCE: {
    class: 'invalid',
    message: 'The receipt names other evidence than the one that was verified.',
    next: distrust,
  },
  CLIENT_RECEIPT_TIME: {
    class: 'invalid',
    message: 'The time in the receipt is too far from the time of the verifier.',
    next: 'Check both clocks. A host that sets its clock back could make a receipt look older than it is.',
  },
  CLIENT_RECEIPT_PREVIOUS: {
    class: 'invalid',
    message: 'The receipt names another receipt before it than the request did.',
    next: distrust,
  },
  CLIENT_CONVERSATION_BUSY: {
    class: 'usage',
    message: 'The response before this request has not ended.',
    next: 'Read or cancel its body first; send requests that are independent with the fetch of the client.',
  },
  CLIENT_CONVERSATION_GAP: {
    class: 'invalid',
    message: 'A receipt of the conversation is missing.',
    next: 'Find the receipt whose digest the detail names; without it, what was said there is unknown.',
  },
  CLIENT_CONVERSATION_FORK: {
    class: 'invalid',
    message: 'Two receipts follow the same receipt.',
    next: 'Ask who kept the receipts which of the two belongs to the conversation.',
  },
  CLIENT_CONVERSATION_FOREIGN: {
    class: 'invalid',
    message: 'The receipts belong to more than one conversation.',
    next: 'Verify each conversation by itself; a single one was asked for.',
  },
  CLIENT_CONVERSATION_ORDER: {
    class: 'invalid',
    message: 'The receipts are not in the order in which they were issued.',
    next: 'Do not rely on the order of the file; the receipts themselves say which follows which.',
  },
  CLIENT_CONVERSATION_REPEATED: {
    class: 'invalid',
    message: 'The same receipt is there twice.',
    next: 'Remove the copy.',
  },
  CLIENT_CONVERSATION_TIME: {
    class: 'invalid',
    message: 'A receipt says that it is older than the receipt before it.',
    next: 'A clock was set back between the two answers: do not rely on their times.',
  },
  CLIENT_CONVERSATION_FILE: {
    class: 'invalid',
    message: 'The conversation does not follow its schema.',
    next: 'Keep the file exactly as it was saved.',
  },
  CLIENT_RECEIPT_UNKNOWN: {
    class: 'usage',
    message: 'The response did not come through this client.',
    next: 'Pass the Response object that the fetch of this client returned.',
  },
  CLIENT_RECEIPT_INCOMPLETE: {
    class: 'usage',
    message: 'The response was not read to its end, so it has no receipt.',
    next: 'Read the body to its end.',
  },
  CLIENT_RECEIPT_BUNDLE: {
    class: 'invalid',
    message: 'The receipt bundle does not follow its schema.',
    next: 'Keep the bundle exactly as the client delivered it.',
  },
} as const satisfies Record<string, ErrorFacts>);
