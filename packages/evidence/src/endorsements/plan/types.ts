import type { AndroidStatus, Cmw, SnpProductName } from '@fastness/attest';
import type { IntelUpdate } from '../intel/documents.ts';
import type { EndorsementSource } from '../source.ts';
import type { Endorsement } from '../types.ts';

export interface CompleteOptions {
  readonly evidence: Cmw;
  /** What came with the evidence: chosen by whoever sent it. */
  readonly endorsements: readonly Cmw[];
  readonly source: EndorsementSource;
  /** The time of the verification that follows. */
  readonly now: Date;
  /**
   * `given` (default): only what is missing or out of its time is fetched. `fetched`: lists, TCB info and identities are
   * taken from the source even where the sender brought its own, which it may have chosen for being old.
   */
  readonly prefer?: 'given' | 'fetched';
  /** For Intel: which TCB recovery to ask for. Default `standard`. */
  readonly update?: IntelUpdate;
  /** For AMD reports before version 3, which do not name their product: those to try. */
  readonly products?: readonly SnpProductName[];
  /**
   * Where VCEKs and their chain come from: AMD's service (default), or Azure's instance metadata, which has those of the very
   * machine that asks and answers inside Azure alone. Lists come from AMD either way.
   */
  readonly amdFrom?: 'kds' | 'azure-thim';
  readonly signal?: AbortSignal;
}

export interface Completed {
  /** What to hand to `verifyEvidence`. */
  readonly endorsements: Cmw[];
  /** What was fetched for it, and from where. */
  readonly fetched: readonly Endorsement[];
  /** For Android: the list to put into `anchors.androidKey.status`. It is trusted as far as the connection it came over. */
  readonly androidStatus?: AndroidStatus;
}
