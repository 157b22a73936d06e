import type { Cmw, CmwCollection, TrustAnchors } from '@fastness/attest';
import type { OhttpProtocol, Primitives } from '@fastness/channel';
import type { ErrorCode } from '@fastness/codec/errors';
import type { ClientMemory } from '../memory.ts';
import type { ClientPolicy } from '../policy.ts';
import type { ReceiptBundle } from '../receipt/bundle.ts';
import type { VerifiedEnclave } from '../verify/verified-enclave.ts';
import type { DirectTransport } from './direct.ts';
import type { OuterFetch } from './outer.ts';

/** What a client tells while it works. */
export type ClientEvent =
  /** An enclave was verified. Say so when `enclave.simulated` is true. */
  | { readonly type: 'verified'; readonly enclave: VerifiedEnclave }
  /** The enclave does not know the key any more; the client verifies again. */
  | { readonly type: 'keys-changed'; readonly code: ErrorCode }
  /** A request left, sealed. `kem`: 0x647a X-Wing, 0x0020 X25519. */
  | {
      readonly type: 'sent';
      readonly method: string;
      readonly path: string;
      readonly kem: number;
      readonly protocol: OhttpProtocol;
    }
  /** A response ended and its receipt verified. */
  | { readonly type: 'receipt'; readonly bundle: ReceiptBundle };

export interface ClientOptions {
  /** Base URL of a relay or of the enclave itself, without a user or password. */
  readonly url: string;
  readonly policy: ClientPolicy;
  /** Carries the outer exchanges. Default: the platform's. */
  readonly fetch?: OuterFetch;
  /**
   * The API key of a tenant, for enclaves that let only tenants in: sent as `authorization`, inside the channel, in place of what a
   * request carries there. A function is asked before every request. Default: what the request carries.
   */
  readonly apiKey?: string | (() => string | Promise<string>);
  /** Carries the outer exchanges over TLS that ends in the enclave, to which its evidence is bound. In Node: `directTls`. */
  readonly direct?: DirectTransport;
  readonly now?: () => Date;
  /** Random bytes for nonces. Default: the platform's. */
  readonly random?: (length: number) => Uint8Array;
  /** Seconds after which an enclave is verified again. Default: 600. */
  readonly sessionSeconds?: number;
  /** Milliseconds that fetching an attestation may take, its last byte included. Default: 15,000. */
  readonly attestTimeoutMs?: number;
  /**
   * Milliseconds from the moment a request leaves, its upload included, until the status and fields of the sealed response
   * are there. Default: 150,000, a little more than a relay waits. An enclave that does not stream answers only when the
   * whole text was generated: raise it for long ones. How long the body then takes is not limited; abort for that.
   */
  readonly responseTimeoutMs?: number;
  /** Sealed bytes that one response may have. Default: 1 GiB. */
  readonly maxResponseBytes?: number;
  /**
   * What the channel computes with. Default: WebCrypto, with X-Wing in JavaScript where it has no ML-KEM-768; in Node,
   * Node's own cryptography, which is faster.
   */
  readonly primitives?: Primitives;
  readonly onEvent?: (event: ClientEvent) => void;
  /**
   * Keeps the highest version of each model and of the owners' set of keys that was accepted, so that nothing older is
   * accepted after a restart. Absent: they are remembered while the client runs.
   */
  readonly memory?: ClientMemory;
  /** Roots of the vendors. Default: AMD's, pinned. */
  readonly anchors?: TrustAnchors;
  /**
   * Adds endorsements that the enclave did not send, before its evidence is verified: `completeEndorsements` of
   * `@fastness/evidence/endorsements` in Node. What it throws is what the verification ends in. Default: none are added.
   */
  readonly completeEndorsements?: CompleteClientEndorsements;
}

/** Returns all endorsements that the evidence is to be verified with; `signal` is raised when nobody waits any more. */
export type CompleteClientEndorsements = (
  evidence: Cmw | CmwCollection,
  endorsements: readonly Cmw[],
  signal: AbortSignal,
) => Promise<readonly Cmw[]>;

export interface FastnessClient {
  /**
   * Verifies the enclave now, whatever was verified before. Callers that come at the same time share one verification;
   * `signal` ends the waiting of its own caller, and the verification itself once nobody waits for it any more.
   * @throws FastnessError the codes of `verifyEnclave`; `CLIENT_UNREACHABLE`, `CLIENT_TIMEOUT`, `CLIENT_REFUSED`
   */
  readonly verify: (options?: { readonly signal?: AbortSignal }) => Promise<VerifiedEnclave>;
  /**
   * Replaces the policy. Requests from here on go to an enclave that was verified under it, and a verification under way is
   * made again; responses that are being read go on under the policy they were asked for.
   */
  readonly setPolicy: (policy: ClientPolicy) => void;
  /**
   * A `fetch` for the enclave: pass it to the `openai` package, or call it. Takes https URLs under /v1/, whose host is
   * ignored. Verifies first, sends only through the channel, and never falls back. The body of a response fails at its
   * end unless the response is complete and its receipt verifies; a body that closed is a body that was proved. Of an
   * event stream, `data: [DONE]` arrives only when everything was proved, as its readers stop there.
   */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Starts a conversation: requests one after the other, whose receipts form a chain. Whoever holds them can show later that
   * none is missing, moved or foreign: `verifyConversations`. Parallel requests belong into `fetch`.
   */
  readonly conversation: () => Conversation;
  /**
   * The verified receipt of a response, once its body has been read to its end.
   * @throws FastnessError what the body failed with; `CLIENT_RECEIPT_INCOMPLETE`, `CLIENT_RECEIPT_UNKNOWN`
   */
  readonly getReceipt: (response: Response) => Promise<ReceiptBundle>;
}

/** Requests whose receipts name each other in order. */
export interface Conversation {
  /**
   * As the client's, one at a time: the receipt names the last one that was proved before it.
   * @throws FastnessError also `CLIENT_CONVERSATION_BUSY`, when the body of the response before has not ended
   */
  readonly fetch: typeof globalThis.fetch;
  readonly getReceipt: FastnessClient['getReceipt'];
  /** The verified receipts so far, in order. */
  readonly receipts: () => readonly ReceiptBundle[];
}
