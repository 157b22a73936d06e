import { createHash, randomFillSync, type Hash } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { placeOf, type FloeGeometry } from '../floe/geometry.ts';
import { aeadIvLength, aeadTagLength, defaultRotationMask, segmentPrefixLength } from '../floe/parameters.ts';
import { createSegmentKeys, type FloeContext, type SegmentKeys } from '../floe/segment-keys.ts';
import { decryptSegment, encryptSegment } from '../floe/segment.ts';
import { readFully, writeFully } from './file-io.ts';
import { copyIntoMemory, prepareMemory, preparedPiece, type FileMemory } from './file-memory.ts';
import type { SharedState } from './shared-state.ts';

/** Seal or open the segments of one file, from one descriptor to another. */
export interface SegmentJob {
  readonly kind: 'seal' | 'open';
  readonly sourceFd: number;
  readonly targetFd: number;
  /** The target's memory, prepared, where it is mapped: then it is written there. */
  readonly memory?: FileMemory | undefined;
  readonly geometry: FloeGeometry;
  readonly context: FloeContext;
  /** 48 bytes, over shared memory: one copy for all threads, wiped by the thread that made it. */
  readonly messageKey: Uint8Array;
}

/** SHA-256 of byte ranges of open files. */
export interface HashJob {
  readonly kind: 'hash';
  readonly ranges: readonly { readonly fd: number; readonly start: number; readonly end: number }[];
  /** 32 bytes for each range, over shared memory. */
  readonly digests: Uint8Array;
}

/** Gives a mapped file its pages. */
interface PrepareJob {
  readonly kind: 'prepare';
  readonly memory: FileMemory;
}

export type Job = SegmentJob | HashJob | PrepareJob;

/** How many items a job has, and how many bytes they are in all. */
export function extentOf(job: Job): { items: number; bytes: number } {
  if (job.kind === 'prepare') return { items: Math.ceil(job.memory.size / preparedPiece), bytes: job.memory.size };
  if (job.kind !== 'hash') return { items: job.geometry.segments, bytes: job.geometry.size };
  const bytes = job.ranges.reduce((sum, { start, end }) => sum + (end - start), 0);
  return { items: job.ranges.length, bytes };
}

/** Bytes hashed in one step. */
const hashPieceLength = 1024 * 1024;

/** One thread's part in a job. */
export interface Processor extends Disposable {
  /** Does a piece of work, of about a millisecond; false when there is none left. Throws what the item failed with. */
  step(): boolean;
  /** The item that `step` works on or worked on last. */
  readonly item: number;
}

export function createProcessor(job: Job, shared: SharedState): Processor {
  if (job.kind === 'prepare') return prepareProcessor(job, shared);
  return job.kind === 'hash' ? hashProcessor(job, shared) : segmentProcessor(job, shared);
}

/** Holds one segment, whatever the size of the file. */
function segmentProcessor(job: SegmentJob, shared: SharedState): Processor {
  const { geometry } = job;
  const keys = createSegmentKeys(job.messageKey, { ...job.context, rotationMask: defaultRotationMask });
  const handle = job.kind === 'seal' ? sealer(job, keys) : opener(job, keys);
  let item = 0;
  return {
    get item() {
      return item;
    },
    step() {
      const claimed = shared.claim(geometry.segments);
      if (claimed === undefined) return false;
      item = claimed;
      handle.segment(claimed);
      shared.addBytes(placeOf(geometry, claimed).plaintextLength);
      return true;
    },
    [Symbol.dispose]() {
      keys[Symbol.dispose]();
      handle.wipe();
    },
  };
}

interface SegmentHandler {
  segment(position: number): void;
  wipe(): void;
}

/** Where the plaintext of a segment lies when it is worked on in place, within the segment's own memory. */
function plaintextWithin(segment: Uint8Array): Uint8Array {
  return segment.subarray(segmentPrefixLength, segment.length - aeadTagLength);
}

/** Puts ciphertext, or plaintext that verified, in its place. */
function writeTarget({ targetFd, memory }: SegmentJob, bytes: Uint8Array, offset: number): void {
  if (memory === undefined) writeFully(targetFd, bytes, offset);
  else copyIntoMemory(memory, bytes, offset);
}

function sealer(job: SegmentJob, keys: SegmentKeys): SegmentHandler {
  const { geometry, sourceFd } = job;
  const memory = new Uint8Array(placeOf(geometry, 0).sealedLength);
  const iv = new Uint8Array(aeadIvLength);
  return {
    segment(position) {
      const place = placeOf(geometry, position);
      const target = memory.subarray(0, place.sealedLength);
      const plaintext = plaintextWithin(target);
      if (readFully(sourceFd, plaintext, place.plaintextOffset) < plaintext.length) {
        throw new FastnessError('SEAL_SOURCE_CHANGED', 'It became shorter.');
      }
      encryptSegment(keys, place, { iv: randomFillSync(iv), plaintext, target });
      writeTarget(job, target, place.sealedOffset);
    },
    wipe: () => void memory.fill(0),
  };
}

/**
 * The source is read into memory of our own and decrypted there. Mapped, its page tables would cost what this copy does,
 * whoever can write to the file could exchange bytes between the two times that the cipher looks at them, and cutting it
 * short would end the process. The copy into the target keeps bytes that did not verify out of it.
 */
function opener(job: SegmentJob, keys: SegmentKeys): SegmentHandler {
  const { geometry, sourceFd } = job;
  const memory = new Uint8Array(placeOf(geometry, 0).sealedLength);
  return {
    segment(position) {
      const place = placeOf(geometry, position);
      const segment = memory.subarray(0, place.sealedLength);
      if (readFully(sourceFd, segment, place.sealedOffset) < segment.length) {
        throw new FastnessError('FLOE_TRUNCATED', `Segment ${position}.`);
      }
      const target = plaintextWithin(segment);
      decryptSegment(keys, place, { segment, target });
      writeTarget(job, target, place.plaintextOffset);
    },
    wipe: () => void memory.fill(0),
  };
}

function prepareProcessor({ memory }: PrepareJob, shared: SharedState): Processor {
  let item = 0;
  return {
    get item() {
      return item;
    },
    step() {
      const claimed = shared.claim(Math.ceil(memory.size / preparedPiece));
      if (claimed === undefined) return false;
      item = claimed;
      shared.addBytes(prepareMemory(memory, claimed * preparedPiece));
      return true;
    },
    [Symbol.dispose]: () => undefined,
  };
}

function hashProcessor({ ranges, digests }: HashJob, shared: SharedState): Processor {
  const piece = new Uint8Array(hashPieceLength);
  let item = 0;
  let current: { readonly hash: Hash; offset: number } | undefined;
  return {
    get item() {
      return item;
    },
    step() {
      if (current === undefined) {
        const claimed = shared.claim(ranges.length);
        if (claimed === undefined) return false;
        item = claimed;
        current = { hash: createHash('sha256'), offset: ranges[item]?.start ?? 0 };
      }
      const { fd, end } = ranges[item] ?? { fd: -1, end: 0 };
      const wanted = piece.subarray(0, Math.min(piece.length, end - current.offset));
      if (readFully(fd, wanted, current.offset) < wanted.length) throw new FastnessError('OMS_FILE_CHANGED');
      current.hash.update(wanted);
      current.offset += wanted.length;
      shared.addBytes(wanted.length);
      if (current.offset < end) return true;
      digests.set(current.hash.digest(), item * 32);
      current = undefined;
      return true;
    },
    [Symbol.dispose]: () => undefined,
  };
}
