import type { OuterFetch } from './outer.ts';

/** What both ends of a TLS connection know of it: the client's end says so here. */
export interface TlsConnection {
  /** `tlsExporterDigestOf` the exporter of RFC 9266. */
  readonly exporterDigest: Uint8Array;
  /** The server's key, SubjectPublicKeyInfo DER. */
  readonly spki: Uint8Array;
}

/**
 * Carries the outer exchanges over TLS connections whose other end must be the enclave. No certificate is judged: the enclave's
 * evidence is bound to the connection that it was asked on, and to the key that all later ones must have.
 */
export interface DirectTransport {
  /** For `POST /attestation`: any server may answer, over a connection of its own. */
  readonly attest: OuterFetch;
  /** For everything else: fails with `CLIENT_TLS_KEY` before a byte is sent when the server's key is not the pinned one. */
  readonly exchange: OuterFetch;
  /** The connection that an answer to `attest` came over. */
  readonly connectionOf: (response: Response) => TlsConnection | undefined;
  readonly pin: (spki: Uint8Array) => void;
}
