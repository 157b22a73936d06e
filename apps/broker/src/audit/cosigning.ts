import type { FastnessError } from '@fastness/codec/errors';
import { collectCosignatures, makeProof, openCheckpoint, type CosignedCheckpoint } from '@fastness/log';
import { nodeHasher, type TileLog } from '@fastness/log/node';
import type { BrokerWitnesses } from './witnesses.ts';

/** Has witnesses cosign the checkpoints of a broker's log: on a schedule, and when a key release has to be witnessed. */
export interface Cosigning extends AsyncDisposable {
  /** How many witnesses have to cosign. */
  readonly threshold: number;
  /** The newest checkpoint that enough witnesses cosigned; undefined before the first. */
  readonly latest: CosignedCheckpoint | undefined;
  /**
   * A cosigned checkpoint of at least so many entries; those who wait at once share a round of questions.
   * @throws LOG_COSIGNATURES when too few witnesses cosigned in their time
   */
  covering(size: number): Promise<CosignedCheckpoint>;
  /** As `Transparency.prove`, under a checkpoint that enough witnesses cosigned. @throws LOG_COSIGNATURES */
  prove(seq: number): Promise<string>;
}

export function createCosigning(options: {
  readonly log: TileLog;
  readonly witnesses: BrokerWitnesses;
  /** Told of every answer of a witness, and of the size that was cosigned. */
  readonly onAnswer?: (name: string, error: FastnessError | undefined) => void;
  readonly onCosigned?: (size: number) => void;
  readonly report: (error: unknown) => void;
}): Cosigning {
  const { log, witnesses, onAnswer, onCosigned, report } = options;
  const { threshold, intervalMs, timeoutMs, fetch } = witnesses;
  const sizes = new Map<string, number>();
  let latest: CosignedCheckpoint | undefined;
  let round: Promise<void> | undefined;

  const ask = async (): Promise<void> => {
    const checkpoint = await log.checkpoint();
    const next = await collectCosignatures({
      quorum: witnesses,
      checkpoint,
      sizes,
      prove: (oldSize) => log.proveConsistency(oldSize, checkpoint.size),
      fetch,
      timeoutMs,
      ...(onAnswer === undefined ? {} : { onAnswer }),
    });
    latest = next;
    onCosigned?.(next.size);
  };
  const covering = async (size: number): Promise<CosignedCheckpoint> => {
    for (;;) {
      if (latest !== undefined && latest.size >= size) return latest;
      round ??= ask().finally(() => {
        round = undefined;
      });
      await round;
    }
  };
  const schedule = setInterval(() => {
    if (!log.failed && log.size > (latest?.size ?? 0)) covering(log.size).catch(report);
  }, intervalMs);
  schedule.unref();
  if (log.size > 0) covering(log.size).catch(report);

  return {
    threshold,
    get latest() {
      return latest;
    },
    covering,
    async prove(seq) {
      const { note } = await covering(seq);
      // By the log's own key: the cosignatures were verified when they came.
      const checkpoint = await openCheckpoint(note, { logKeys: [log.key] });
      return await makeProof({ read: (path) => log.resource(path), hasher: nodeHasher }, checkpoint, seq - 1);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(schedule);
      await round?.catch(() => {});
    },
  };
}
