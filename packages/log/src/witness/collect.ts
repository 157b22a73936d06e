import { FastnessError } from '@fastness/codec/errors';
import type { TreeHead } from '../merkle/consistency.ts';
import { requestCosignature, type Cosignature, type WitnessAddress } from './client.ts';

/** Witnesses, and how many of them have to cosign. */
export interface WitnessQuorum {
  readonly witnesses: readonly WitnessAddress[];
  readonly threshold: number;
}

/** A checkpoint that enough witnesses cosigned. */
export interface CosignedCheckpoint extends TreeHead {
  /** The signed note with the cosignatures behind it. */
  readonly note: string;
  readonly cosigned: readonly { readonly name: string; readonly time: Date }[];
}

/**
 * Asks all witnesses at once, each with its own time limit, and resolves as soon as enough of them cosigned. Those that are
 * slower are not waited for; `sizes` still learns where they stand.
 * @param options.sizes where each witness (by key id) stood last; kept up to date. Absent: it is found out each time
 * @throws LOG_COSIGNATURES when too few cosigned; its `cause` is an AggregateError of what each of the others threw
 */
export async function collectCosignatures(options: {
  quorum: WitnessQuorum;
  checkpoint: TreeHead & { readonly note: string };
  sizes?: Map<string, number>;
  /** Consistency proof from a size to the checkpoint. */
  prove: (oldSize: number) => Promise<readonly Uint8Array[]>;
  fetch: typeof globalThis.fetch;
  timeoutMs: number;
  /** Told of each answer, also of those that come too late. */
  onAnswer?: (name: string, error: FastnessError | undefined) => void;
}): Promise<CosignedCheckpoint> {
  const { quorum, checkpoint, sizes, prove, fetch, timeoutMs, onAnswer } = options;
  const { witnesses, threshold } = quorum;
  const ask = async (witness: WitnessAddress): Promise<Cosignature> => {
    const known = sizes?.get(witness.key.id) ?? 0;
    const cosignature = await requestCosignature({
      witness,
      checkpoint,
      // What it cosigned last may be newer than this checkpoint, when two are on their way.
      oldSize: Math.min(known, checkpoint.size),
      prove,
      fetch,
      signal: AbortSignal.timeout(timeoutMs),
    }).catch((cause: unknown) => {
      if (cause instanceof FastnessError) throw cause;
      throw new FastnessError('LOG_UNAVAILABLE', `No answer of ${witness.key.name} in ${timeoutMs} ms.`, { cause });
    });
    sizes?.set(witness.key.id, Math.max(known, checkpoint.size));
    return cosignature;
  };
  const lines: string[] = [];
  const cosigned: { name: string; time: Date }[] = [];
  const failed: { name: string; error: FastnessError }[] = [];
  return await new Promise((resolve, reject) => {
    const settle = (): void => {
      if (cosigned.length >= threshold) {
        const { size, root, note } = checkpoint;
        resolve({ size, root, note: note + lines.join(''), cosigned: [...cosigned] });
      } else if (witnesses.length - failed.length < threshold) {
        const others = failed.map(({ name, error }) => `${name}: ${error.code}`).join(', ');
        const cause = new AggregateError(failed.map(({ error }) => error));
        reject(
          new FastnessError('LOG_COSIGNATURES', `${cosigned.length} of ${threshold}. ${others}`.trim(), { cause }),
        );
      }
    };
    settle();
    for (const witness of witnesses) {
      const { name } = witness.key;
      void ask(witness)
        .then(
          ({ line, time }) => {
            lines.push(line);
            cosigned.push({ name, time });
            return undefined;
          },
          (error: FastnessError) => {
            failed.push({ name, error });
            return error;
          },
        )
        .then((error) => {
          onAnswer?.(name, error);
          return settle();
        });
    }
  });
}
