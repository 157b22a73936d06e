import type { ErrorFacts } from './class.ts';

/** Codes of attested TLS in `channel`. */
export const channelTlsErrors = Object.freeze({
  CHANNEL_TLS_OPTION: {
    class: 'usage',
    message: 'An option of attested TLS is not valid.',
    next: 'Correct the option that the detail names.',
  },
  CHANNEL_TLS_LISTEN: {
    class: 'unavailable',
    message: 'The address for attested TLS cannot be listened on.',
    next: 'Choose a free port on an address of this machine.',
  },
  CHANNEL_TLS_HANDSHAKE: {
    class: 'unavailable',
    message: 'No TLS 1.3 connection came about.',
    next: 'Check the address, and that the peer listens with attested TLS there.',
  },
  CHANNEL_TLS_CERTIFICATE_MISSING: {
    class: 'unauthorized',
    message: 'The peer showed no certificate.',
    next: 'Give the connecting service an identity of its own: this side wants to verify it as well.',
  },
  CHANNEL_TLS_CERTIFICATE_TOO_LARGE: {
    class: 'limit',
    message: 'The evidence makes the certificate larger than peers read.',
    next: 'Leave endorsements out of the certificate (withEndorsements: false) and give them to the verifying side.',
  },
  CHANNEL_TLS_EVIDENCE_MISSING: {
    class: 'not-mine',
    message: 'The certificate carries no evidence.',
    next: 'Check the address: an ordinary TLS server answered, or something that ends TLS in front of the attested one.',
  },
  CHANNEL_TLS_EVIDENCE_MALFORMED: {
    class: 'invalid',
    message: 'The evidence extension of the certificate does not have its form.',
    next: 'Do not use the connection. Check that both sides run the same version of Fastness.',
  },
  CHANNEL_TLS_LIFETIME: {
    class: 'denied',
    message: 'The certificate is valid for longer than this side accepts.',
    next: 'Have the peer make certificates of a shorter life, or raise maximumLifetimeSeconds knowing that evidence then may be as old.',
  },
  CHANNEL_TLS_EXCHANGE: {
    class: 'invalid',
    message: 'The peer does not follow the exchange of evidence behind the handshake.',
    next: 'Do not use the connection. Check that both sides run the same version of Fastness.',
  },
  CHANNEL_TLS_CLOSED: {
    class: 'unavailable',
    message: 'The peer closed the connection before the evidence was exchanged.',
    next: 'Look into the log of the peer: it may have refused the evidence of this side, or be out of places.',
  },
  CHANNEL_TLS_TIMEOUT: {
    class: 'unavailable',
    message: 'The peer did not finish the exchange of evidence in time.',
    next: 'Try again; for hardware that quotes slowly, raise timeoutMs.',
  },
  CHANNEL_TLS_NONCE: {
    class: 'invalid',
    message: 'The evidence answers another nonce than the one just sent.',
    next: 'Do not use the connection: the evidence was made earlier, or for somebody else.',
  },
  CHANNEL_TLS_EXPORTER: {
    class: 'invalid',
    message: 'The evidence was made for another TLS connection than this one.',
    next: 'Do not use the connection. Somebody in between ends TLS; connect to the attested service itself.',
  },
  CHANNEL_TLS_BUSY: {
    class: 'limit',
    message: 'As many connections as allowed are exchanging evidence already.',
    next: 'Try again; keep connections open instead of making one for each request.',
  },
} as const satisfies Record<string, ErrorFacts>);
