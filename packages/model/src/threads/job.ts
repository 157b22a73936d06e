import { createHash, randomFillSync, type Hash } from 'node:crypto';
import { FastnessError } from '@fastness/codec/errors';
import { placeOf, type FloeGeometry } from '../floe/geometry.ts';
import { aeadIvLength, defaultRotationMask } from '../floe/parameters.ts';
import { createSegmentKeys, type FloeContext, type SegmentKeys } from '../floe/segment-keys.ts';
import { decryptSegment, encryptSegment, release } from '../floe/segment.ts';
import { readFully, writeAllFully, writeFully } from './file-io.ts';
import type { SharedState } from './shared-state.ts';

/** Seal or open the segments of one file, from one descriptor to another. */
export interface SegmentJob {
  readonly kind: 'seal' | 'open';
  readonly sourceFd: number;
  readonly targetFd: number;
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

export type Job = SegmentJob | HashJob;

/** How many items a job has, and how many bytes they are in all. */
export function extentOf(job: Job): { items: number; bytes: number } {
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
  return job.kind === 'hash' ? hashProcessor(job, shared) : segmentProcessor(job, shared);
}

/** Holds one segment of input and one of output, whatever the size of the file. */
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

function sealer({ geometry, sourceFd, targetFd }: SegmentJob, keys: SegmentKeys): SegmentHandler {
  const largest = placeOf(geometry, 0);
  const source = new Uint8Array(largest.plaintextLength);
  const sealed = new Uint8Array(largest.sealedLength);
  const iv = new Uint8Array(aeadIvLength);
  return {
    segment(position) {
      const place = placeOf(geometry, position);
      const plaintext = source.subarray(0, place.plaintextLength);
      if (readFully(sourceFd, plaintext, place.plaintextOffset) < plaintext.length) {
        throw new FastnessError('SEAL_SOURCE_CHANGED', 'It became shorter.');
      }
      const target = sealed.subarray(0, place.sealedLength);
      encryptSegment(keys, place, { iv: randomFillSync(iv), plaintext, target });
      writeFully(targetFd, target, place.sealedOffset);
    },
    wipe: () => void source.fill(0),
  };
}

function opener({ geometry, sourceFd, targetFd }: SegmentJob, keys: SegmentKeys): SegmentHandler {
  const sealed = new Uint8Array(placeOf(geometry, 0).sealedLength);
  return {
    segment(position) {
      const place = placeOf(geometry, position);
      const segment = sealed.subarray(0, place.sealedLength);
      if (readFully(sourceFd, segment, place.sealedOffset) < segment.length) {
        throw new FastnessError('FLOE_TRUNCATED', `Segment ${position}.`);
      }
      const pieces = decryptSegment(keys, place, segment);
      writeAllFully(targetFd, pieces, place.plaintextOffset);
      for (const piece of pieces) release(piece);
    },
    wipe: () => undefined,
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
