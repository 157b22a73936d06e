import { equalBytes } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { openCheckpoint, parseCheckpoint, type LogTrust, type VerifiedCheckpoint } from '../checkpoint/checkpoint.ts';
import { verifyConsistency, type TreeHead } from '../merkle/consistency.ts';
import { emptyRoot } from '../merkle/hasher.ts';
import { cosign } from '../note/cosign.ts';
import { parseNote, type SignEd25519 } from '../note/signed-note.ts';
import type { VerifierKey } from '../note/verifier-key.ts';
import { parseAddCheckpoint, sizeMediaType, type AddCheckpointRequest } from './request.ts';

/** Keeps the newest checkpoint that was cosigned, per log. A witness that forgets can be made to cosign a fork. */
export interface WitnessStore {
  /** Undefined: nothing of this log was cosigned yet. */
  read(origin: string): Promise<TreeHead | undefined>;
  /** Resolves when it is on disk: only then is the cosignature handed out. */
  write(origin: string, head: TreeHead & { readonly note: string }): Promise<void>;
}

/** An HTTP answer. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly contentType: string;
  readonly body: string;
}

/** The server's part of c2sp.org/tlog-witness, without the network. */
export interface Witness {
  readonly key: VerifierKey;
  /** Answers one `add-checkpoint`. Rejects only when the store or the key fails; then nothing was cosigned. */
  addCheckpoint(body: Uint8Array): Promise<WitnessAnswer>;
}

const plain = 'text/plain; charset=utf-8';
const refusal = (status: WitnessAnswer['status'], body: string): WitnessAnswer => ({
  status,
  contentType: plain,
  body: `${body}\n`,
});
const standsAt = (size: number): WitnessAnswer => ({ status: 409, contentType: sizeMediaType, body: `${size}\n` });

/**
 * A witness: it cosigns a checkpoint of a log it knows when the log signed it and it continues the newest one that was
 * cosigned, and keeps it before it answers. It reads no entries.
 */
export function createWitness(options: {
  /** A `cosignature/v1` key. */
  key: VerifierKey;
  sign: SignEd25519;
  logs: readonly LogTrust[];
  store: WitnessStore;
  now: () => Date;
}): Witness {
  const { key, sign, store, now } = options;
  const logs = new Map(options.logs.map((trust) => [trust.origin ?? trust.logKeys[0]?.name ?? '', trust]));
  const turns = new Map<string, Promise<unknown>>();

  const decide = async (checkpoint: VerifiedCheckpoint, request: AddCheckpointRequest): Promise<WitnessAnswer> => {
    const { origin, size, root, note } = checkpoint;
    const last = (await store.read(origin)) ?? { size: 0, root: await emptyRoot() };
    if (request.oldSize !== last.size) return standsAt(last.size);
    if (size === last.size && !equalBytes(root, last.root)) return standsAt(last.size);
    try {
      await verifyConsistency({ older: last, newer: checkpoint, proof: request.proof });
    } catch (error) {
      if (error instanceof FastnessError) return refusal(422, error.code);
      throw error;
    }
    const { text } = parseNote(note);
    // In this order: a cosignature that nobody kept must not exist outside.
    await store.write(origin, { size, root, note });
    return { status: 200, contentType: plain, body: await cosign({ text, key, sign, time: now() }) };
  };

  return {
    key,
    async addCheckpoint(body) {
      let request: AddCheckpointRequest;
      let origin: string;
      try {
        request = parseAddCheckpoint(body);
        ({ origin } = parseCheckpoint(parseNote(request.checkpoint).text));
      } catch (error) {
        if (error instanceof FastnessError) return refusal(400, error.code);
        throw error;
      }
      const trust = logs.get(origin);
      if (trust === undefined) return refusal(404, 'LOG_WITNESS_UNKNOWN');
      let checkpoint: VerifiedCheckpoint;
      try {
        checkpoint = await openCheckpoint(request.checkpoint, trust);
      } catch (error) {
        if (error instanceof FastnessError) return refusal(403, error.code);
        throw error;
      }
      if (request.oldSize > checkpoint.size) return refusal(400, 'LOG_WITNESS_REQUEST');
      // One at a time for each log: between reading the old state and writing the new one nothing may come in.
      const turn = (turns.get(origin) ?? Promise.resolve()).then(async () => decide(checkpoint, request));
      const settled = turn.then(
        () => undefined,
        () => undefined,
      );
      turns.set(origin, settled);
      return await turn;
    },
  };
}
