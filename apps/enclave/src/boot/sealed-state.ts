import { utf8Decode, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import {
  openFreshState,
  openTpmAnchor,
  recordFile,
  tpmRecordSeal,
  type FreshState,
} from '@fastness/evidence/freshness';
import { flushAll, openSwtpmSocket, openTpm, openTpmDevice, type Tpm } from '@fastness/evidence/tpm';
import { parseCheckpoint, parseNote, parseProof } from '@fastness/log';
import type { Release } from '@fastness/model/release';
import { z } from 'zod';
import type { Grant } from '../lease.ts';
import type { SealedStateConfig } from './sealed-state-config.ts';

const memorySchema = z.strictObject({
  format: z.literal('fastness/enclave-state/v1'),
  /** Highest version whose key was given, by model. */
  releases: z.record(z.string().min(1).max(128), z.int().min(1)),
  /** Version of the list of tenants that was in force with the last key, by model. */
  access: z.record(z.string().min(1).max(128), z.int().min(1)).exactOptional(),
  /** The broker's signed time with the last key. */
  brokerTime: z.iso.datetime(),
  /** Entries of the logs that proved a key, by origin. */
  logs: z.record(z.string().min(1).max(255), z.int().min(0)),
});
type Memory = z.infer<typeof memorySchema>;

/** How far the clocks of two brokers of one model, or one clock set right, may be apart. */
const clockToleranceMs = 5 * 60_000;
/** The state is small: models and logs that one machine has seen. */
const maxNames = 256;

/** What an enclave remembers over its starts. */
export interface SealedState extends AsyncDisposable {
  readonly found: FreshState['found'];
  readonly trust: string;
  /** Before a key is asked for. Throws ENCLAVE_RELEASE_OLDER. */
  checkRelease(release: Pick<Release, 'modelId' | 'version'>): void;
  /** The same for the list of tenants, where the release has one. Throws ACCESS_OLDER. */
  checkAccess(modelId: string, version: number | undefined): void;
  /**
   * When a key came, before it is used: compares brokers and logs with the last time, and remembers this one, durably.
   * Throws ENCLAVE_RELEASE_OLDER, ACCESS_OLDER, ENCLAVE_BROKER_OLDER, ENCLAVE_LOG_OLDER, FRESHNESS_UNAVAILABLE.
   */
  accept(
    release: Pick<Release, 'modelId' | 'version'>,
    grants: readonly Pick<Grant, 'issuedAt' | 'logProof'>[],
    /** Of the list of tenants. */
    access?: number,
  ): Promise<void>;
}

/**
 * Opens the state: encrypted with keys that the TPM gives to this software and for the newest record only, and tied to its counter.
 * A host that puts an old file back, or leaves it out, is refused; with it an old release stays refused also when an old broker,
 * whose own state was put back, would release its key.
 *
 * Not protected against: who clears the TPM and deletes the file (then the enclave is new); who keeps the memory of a virtual TPM and
 * puts it back with the file; a configuration that names no state: verifiers see that where the configuration is measured.
 * Throws FRESHNESS_..., TPM_DEVICE_....
 */
export async function openSealedState(config: SealedStateConfig): Promise<SealedState> {
  const { path, pcrs, index } = config;
  await using opening = new AsyncDisposableStack();
  const { tpm, virtual } = await openTpmOf(config.tpm);
  opening.defer(() => tpm.close());
  const anchor = opening.use(await openTpmAnchor({ tpm, index, virtual }));
  const state = await openFreshState({
    anchor,
    store: recordFile(path),
    seal: tpmRecordSeal({ tpm, selection: { bank: 'SHA-256', indexes: pcrs }, index }),
    // Without an anchor there is nothing that a file could have been put back against.
    empty: true,
  });
  let memory = state.content === undefined ? undefined : readMemory(state.content);
  const checkRelease: SealedState['checkRelease'] = ({ modelId, version }) => {
    const highest = ofName(memory?.releases, modelId) ?? 0;
    if (version < highest) throw new FastnessError('ENCLAVE_RELEASE_OLDER', `Version ${version}, after ${highest}.`);
  };
  const checkAccess: SealedState['checkAccess'] = (modelId, version) => {
    const highest = ofName(memory?.access, modelId) ?? 0;
    if (version !== undefined && version < highest) {
      throw new FastnessError('ACCESS_OLDER', `Version ${version}, after ${highest} with the last key.`);
    }
  };
  const opened = opening.move();
  return {
    found: state.found,
    trust: anchor.trust,
    checkRelease,
    checkAccess,
    async accept(release, grants, access) {
      checkRelease(release);
      checkAccess(release.modelId, access);
      let time = memory === undefined ? 0 : Date.parse(memory.brokerTime);
      const last = time;
      const logs: Record<string, number> = {};
      for (const { issuedAt, logProof } of grants) {
        if (issuedAt.getTime() + clockToleranceMs < last) {
          throw new FastnessError('ENCLAVE_BROKER_OLDER', `${issuedAt.toISOString()}, after ${memory?.brokerTime}.`);
        }
        time = Math.max(time, issuedAt.getTime());
        if (logProof === undefined) continue;
        const { origin, size } = logOf(logProof);
        const before = ofName(memory?.logs, origin) ?? 0;
        if (size < before) throw new FastnessError('ENCLAVE_LOG_OLDER', `${size} entries, after ${before}, ${origin}.`);
        logs[origin] = size;
      }
      const next: Memory = {
        format: 'fastness/enclave-state/v1',
        releases: { ...memory?.releases, [release.modelId]: release.version },
        access: { ...memory?.access, ...(access === undefined ? {} : { [release.modelId]: access }) },
        brokerTime: new Date(time).toISOString(),
        logs: { ...memory?.logs, ...logs },
      };
      if (Object.keys(next.releases).length > maxNames || Object.keys(next.logs).length > maxNames) {
        throw new FastnessError('FRESHNESS_UNAVAILABLE', `More than ${maxNames} models or logs.`);
      }
      await state.advance(utf8Encode(JSON.stringify(next)));
      memory = next;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openTpmOf(text: string): Promise<{ tpm: Tpm; virtual: boolean }> {
  const [, kind, place = ''] = /^tpm:(hardware|device|swtpm):(.+)$/su.exec(text) ?? [];
  if (kind !== 'swtpm')
    return { tpm: openTpm({ transport: await openTpmDevice(place) }), virtual: kind !== 'hardware' };
  const tpm = openTpm({ transport: await openSwtpmSocket(place) });
  // Nobody manages its few slots, and a process that was killed left something in them.
  await flushAll(tpm);
  return { tpm, virtual: true };
}

function readMemory(content: Uint8Array): Memory {
  try {
    return memorySchema.parse(JSON.parse(utf8Decode(content)));
  } catch (cause) {
    throw new FastnessError('FRESHNESS_RECORD_INVALID', 'It holds no state of an enclave.', { cause });
  }
}

function ofName(members: Readonly<Record<string, number>> | undefined, name: string): number | undefined {
  return members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined;
}

/** Of a proof that was verified. */
function logOf(proof: string): { origin: string; size: number } {
  const { origin, size } = parseCheckpoint(parseNote(parseProof(proof).checkpoint).text);
  return { origin, size };
}
