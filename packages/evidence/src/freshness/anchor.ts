import { createHash } from 'node:crypto';

/**
 * Where an anchor stands: a number that only rises, and a history, which is the hash of everything that was anchored. The
 * number orders states; the history tells apart two states that were both prepared for the same number.
 */
export interface AnchorReading {
  readonly value: bigint;
  /** 32 bytes. */
  readonly history: Uint8Array;
}

/**
 * Something outside a state that does not go back when the state does. Each kind is as good as what keeps it: a TPM in
 * hardware, the host of a virtual TPM, the administrator of a database, a quorum of witnesses.
 *
 * A checkpoint of a transparency log that witnesses cosigned is an anchor of this shape too: `value` is the size of the tree,
 * `history` its root hash, and `advance` appends the digest and waits for the cosignatures. The log and its witnesses are not
 * part of this package.
 */
export interface FreshnessAnchor extends AsyncDisposable {
  readonly kind: 'tpm-nv' | 'database' | 'witnessed-checkpoint';
  /** One line for people. */
  readonly description: string;
  /** What it protects against depends on this: whether whoever holds the state could put the anchor back as well. */
  readonly trust: string;
  /**
   * Which anchor this is, as a digest (lower-case hex) over what cannot be imitated; undefined while there is none yet. Another
   * anchor, or this one made again, has another.
   */
  identity(): Promise<string | undefined>;
  /** Makes the anchor. Throws when there is one. */
  provision(): Promise<void>;
  /** Throws FRESHNESS_ANCHOR_MISSING, FRESHNESS_ANCHOR_CHANGED, or what its device throws. */
  read(): Promise<AnchorReading>;
  /**
   * From `expected` to the number after it and `nextHistory(expected.history, digest)`, durably before it resolves. A step that
   * was begun by somebody who died is finished, and one that is done already stays done.
   * @param digest 32 bytes
   * Throws FRESHNESS_ANCHOR_MOVED when it stands anywhere else.
   */
  advance(expected: AnchorReading, digest: Uint8Array): Promise<AnchorReading>;
}

/** SHA-256(history || digest): what TPM2_NV_Extend computes. */
export function nextHistory(history: Uint8Array, digest: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(history).update(digest).digest());
}
