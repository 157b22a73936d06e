import type { TrustAnchors } from '@fastness/attest';
import type { HttpAnswer } from './http/answer.ts';
import type { EndorsementServices } from './services.ts';

/**
 * One endorsement as it lies in a cache or travels in a bundle: the bytes that its vendor signed, and the certificates
 * above them. Whoever stored it is not trusted; it is judged each time before it is used.
 */
export interface EndorsementItem {
  /** What it is about, for instance `amd/vcek/Genoa/<chip id>/<tcb>`. See the services for their names. */
  readonly subject: string;
  /** Media type of `body`. */
  readonly mediaType: string;
  /** Where it was fetched, without query; for people. */
  readonly source: string;
  readonly fetchedAt: Date;
  /** Byte for byte what the service sent. */
  readonly body: Uint8Array;
  /** DER, from the issuer of `body` up to a root. Empty where the body brings its own. */
  readonly issuerChain: readonly Uint8Array[];
}

/** What an authentic item says about its own age. */
export interface Judgement {
  readonly issued: Date;
  /** Absent: the item does not say. Only documents without a signature do not. */
  readonly expires?: Date;
  /** A number that only grows: of a revocation list, of a TCB recovery. */
  readonly number?: bigint;
}

export interface JudgeOptions {
  readonly anchors: TrustAnchors;
}

/** What arrives from a service, before anything looks at it. */
export type Received = Pick<EndorsementItem, 'body' | 'issuerChain'>;

/** One thing to ask a service for, and how to judge the answer, wherever it comes from. */
export interface EndorsementRequest {
  readonly subject: string;
  readonly mediaType: string;
  /**
   * Whether a vendor's signature covers the body. Without one, only the TLS connection vouches for it, so that it goes
   * into no bundle, and into a cache only under a key that the host does not have.
   */
  readonly signed: boolean;
  /** Whether an older one may replace a newer one. Not where an older one could hide a revocation or an advisory. */
  readonly replaceable: boolean;
  /** After this many milliseconds a copy is fetched anew although it has not expired. */
  readonly refreshAfterMs: number;
  readonly maxBytes: number;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** A host that may be asked over plain http besides this machine; only Azure's instance metadata is one. */
  readonly plainHost?: string;
  url(services: EndorsementServices): URL;
  /** Takes the parts that are kept out of the answer. Throws ENDORSEMENT_RESPONSE. */
  receive(answer: HttpAnswer): Received;
  /**
   * Establishes that a pinned root vouches for the item and that it is about the subject; says how old it is. The same for
   * every copy: from the network, from the cache, from a bundle.
   * @throws ENDORSEMENT_RESPONSE, ENDORSEMENT_UNAUTHENTIC, ENDORSEMENT_MISMATCH
   */
  judge(item: Received, options: JudgeOptions): Promise<Judgement>;
}

/** An item that was judged authentic and current, and where this copy came from. */
export interface Endorsement {
  readonly item: EndorsementItem;
  readonly judgement: Judgement;
  readonly from: 'network' | 'cache' | 'bundle';
  /** Whether its vendor signed it; see {@link EndorsementRequest.signed}. What nobody signed goes into no bundle. */
  readonly signed: boolean;
  /** Why a copy past its time to be refreshed is used all the same: it is still within the period its vendor signed. */
  readonly refreshFailed?: string;
}

/** Once a day: vendors renew their lists every few days to weeks. */
export const DAILY: number = 24 * 3600 * 1000;
/** For certificates, which do not change. */
export const NEVER: number = Number.POSITIVE_INFINITY;
