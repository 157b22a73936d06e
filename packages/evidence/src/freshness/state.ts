import { equalBytes } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import type { AnchorReading, FreshnessAnchor } from './anchor.ts';
import type { RecordStore } from './file-store.ts';
import {
  decodeRecord,
  encodeRecord,
  readingAfter,
  recordDigest,
  type FreshnessRecord,
  type RecordSeal,
} from './record.ts';

export interface FreshStateOptions {
  readonly anchor: FreshnessAnchor;
  readonly store: RecordStore;
  readonly seal: RecordSeal;
  /** Whether there is no state yet: then an anchor may be made. With state, somebody has to adopt it. */
  readonly empty: boolean;
  /** Takes the state as it is, whatever the anchor says. A person decides that, once, knowing what may have been lost. */
  readonly adopt?: boolean;
}

/** A state that is tied to its anchor. */
export interface FreshState {
  /** How it was found: `completed` finishes a step in whose middle the process died. */
  readonly found: 'new' | 'current' | 'completed' | 'adopted';
  /** What the last record says; undefined before the first, and after an adoption. */
  readonly content: Uint8Array | undefined;
  /** Where the anchor stands. */
  readonly reading: AnchorReading;
  /**
   * One step: the record is written durably, then the anchor is advanced. Not twice at a time. After an error the outcome is
   * unknown until the state is opened again: every further call throws FRESHNESS_UNAVAILABLE.
   */
  advance(content: Uint8Array): Promise<AnchorReading>;
}

/**
 * Compares a state with its anchor, finishes a step that was begun, and refuses everything else.
 *
 * Throws FRESHNESS_STATE_OLDER, FRESHNESS_STATE_FORKED, FRESHNESS_STATE_NEWER, FRESHNESS_RECORD_MISSING,
 * FRESHNESS_RECORD_INVALID, FRESHNESS_SEALED, FRESHNESS_ANCHOR_MISSING, FRESHNESS_ANCHOR_CHANGED, and what anchor and store throw.
 *
 * Not protected against: a state and its anchor that are both put back (see `FreshnessAnchor.trust`).
 */
export async function openFreshState(options: FreshStateOptions): Promise<FreshState> {
  const { anchor, store, seal, empty, adopt = false } = options;
  const stored = await store.read();
  let identity = await anchor.identity();
  if (adopt) {
    identity ??= await provision(anchor);
    return running(options, { identity, found: 'adopted', content: undefined, reading: await anchor.read() });
  }
  if (stored === undefined) {
    if (identity !== undefined || !empty) {
      const what = identity === undefined ? 'There is state and no anchor.' : 'There is an anchor.';
      throw new FastnessError('FRESHNESS_RECORD_MISSING', what);
    }
    identity = await provision(anchor);
    return running(options, { identity, found: 'new', content: undefined, reading: await anchor.read() });
  }
  if (identity === undefined) throw new FastnessError('FRESHNESS_ANCHOR_MISSING', anchor.description);
  const record = await decodeRecord(stored, seal);
  if (record.anchor !== identity) throw new FastnessError('FRESHNESS_ANCHOR_CHANGED', anchor.description);
  const found = compare(record, await anchor.read());
  // Also of a step that is done: an anchor that only looks finished is finished here.
  const reading =
    found === 'completed' ? await anchor.advance(record.from, recordDigest(record)) : readingAfter(record);
  return running(options, { identity, found, content: record.content, reading });
}

/** Where a state stands against its anchor; anything but the same step or the one before it is refused. */
function compare(record: FreshnessRecord, reading: AnchorReading): 'current' | 'completed' {
  const after = readingAfter(record);
  const numbers = `State ${after.value}, anchor ${reading.value}.`;
  if (after.value < reading.value) throw new FastnessError('FRESHNESS_STATE_OLDER', numbers);
  if (after.value > reading.value + 1n) throw new FastnessError('FRESHNESS_STATE_NEWER', numbers);
  const done = equalBytes(reading.history, after.history);
  if (after.value === reading.value && done) return 'current';
  // The history may be ahead of the number: a process can die between the two.
  if (after.value === reading.value + 1n && (done || equalBytes(reading.history, record.from.history)))
    return 'completed';
  throw new FastnessError('FRESHNESS_STATE_FORKED', numbers);
}

async function provision(anchor: FreshnessAnchor): Promise<string> {
  await anchor.provision();
  const identity = await anchor.identity();
  if (identity === undefined) throw new FastnessError('FRESHNESS_ANCHOR_MISSING', anchor.description);
  return identity;
}

function running(
  { anchor, store, seal }: FreshStateOptions,
  start: Pick<FreshState, 'found' | 'content' | 'reading'> & { readonly identity: string },
): FreshState {
  const { found, identity } = start;
  let { content, reading } = start;
  let failure: unknown;
  let busy = false;
  return {
    found,
    get content() {
      return content;
    },
    get reading() {
      return reading;
    },
    async advance(next) {
      if (busy) throw new FastnessError('FRESHNESS_UNAVAILABLE', 'Another step is in progress.');
      if (failure !== undefined) throw new FastnessError('FRESHNESS_UNAVAILABLE', undefined, { cause: failure });
      busy = true;
      try {
        const record = { anchor: identity, from: reading, content: next.slice() };
        await store.write(await encodeRecord(record, seal));
        reading = await anchor.advance(record.from, recordDigest(record));
        content = record.content;
        return reading;
      } catch (error) {
        failure = error;
        if (error instanceof FastnessError && error.code === 'FRESHNESS_ANCHOR_MOVED') throw error;
        throw new FastnessError('FRESHNESS_UNAVAILABLE', undefined, { cause: error });
      } finally {
        busy = false;
      }
    },
  };
}
