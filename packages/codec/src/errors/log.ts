import type { ErrorFacts } from './class.ts';

/** Codes of the transparency log: notes, checkpoints, proofs, tiles, witnesses (`LOG_`). */
export const logErrors = Object.freeze({
  LOG_KEY_MALFORMED: {
    class: 'usage',
    message: 'This is not a verifier key of a log or a witness.',
    next: 'Pass the key as NAME+ID+BASE64, as the log or witness prints it; Ed25519 keys (type 1) and witness keys (type 4) are read.',
  },
  LOG_NOTE_MALFORMED: {
    class: 'invalid',
    message: 'This is not a signed note.',
    next: 'Fetch it again from the log; if it stays so, ask its operator.',
  },
  LOG_NOTE_SIGNATURE: {
    class: 'invalid',
    message: 'A signature of a known key on this note does not verify.',
    next: 'Do not use the note: it was altered, or somebody signed it who does not hold the key.',
  },
  LOG_NOTE_UNSIGNED: {
    class: 'invalid',
    message: 'No known key signed this note.',
    next: 'Check that the pinned key belongs to this log; if it does, the note comes from somebody else.',
  },
  LOG_CHECKPOINT_MALFORMED: {
    class: 'invalid',
    message: 'The signed note is not a checkpoint of a log.',
    next: 'Fetch the checkpoint again from the log; if it stays so, ask its operator.',
  },
  LOG_ORIGIN: {
    class: 'invalid',
    message: 'The checkpoint belongs to another log.',
    next: 'Compare the first line of the checkpoint with the origin you expect.',
  },
  LOG_COSIGNATURES: {
    class: 'denied',
    message: 'Too few of the known witnesses cosigned this checkpoint.',
    next: 'Fetch a checkpoint that enough witnesses cosigned, or ask the operator of the log why they did not.',
  },
  LOG_INCLUSION: {
    class: 'invalid',
    message: 'The proof does not show the entry in the log.',
    next: 'Keep entry, proof and checkpoint as evidence and ask the operator of the log for a proof that holds.',
  },
  LOG_CONSISTENCY: {
    class: 'invalid',
    message: 'The proof does not show that the log only grew.',
    next: 'Keep both checkpoints as evidence; verify the log from its tiles to see whether it was forked.',
  },
  LOG_ROLLBACK: {
    class: 'invalid',
    message: 'The log is shorter than it was: entries that were there are gone.',
    next: 'Keep the remembered and the new checkpoint as evidence; do not rely on the log until its operator explained it.',
  },
  LOG_FORK: {
    class: 'invalid',
    message: 'The log holds another history than the one that is remembered.',
    next: 'Keep both signed checkpoints: together they prove that the log was rewritten. Do not rely on it any more.',
  },
  LOG_PROOF_MALFORMED: {
    class: 'invalid',
    message: 'This is not an offline proof of a log entry.',
    next: 'Pass a file as `fastness log prove` or a key release gives it (c2sp.org/tlog-proof@v1).',
  },
  LOG_PROOF_MISSING: {
    class: 'invalid',
    message: 'The release names a log, and this answer came without a proof that it was logged.',
    next: 'Ask the operator of the broker: every key release of this release carries a proof.',
  },
  LOG_ENTRY_UNEXPECTED: {
    class: 'invalid',
    message: 'The entry that was logged says something else than what happened.',
    next: 'Keep the answer as evidence: the broker logged another event than the one it answered with.',
  },
  LOG_TILE_MALFORMED: {
    class: 'invalid',
    message: 'A tile or entry bundle of the log does not have its form.',
    next: 'Fetch it again; if it stays so, the log is damaged.',
  },
  LOG_TILES_DAMAGED: {
    class: 'invalid',
    message: 'Tiles or entries of the log do not lead to the root that was signed.',
    next: 'Keep the copy as evidence and fetch the log again; if it stays so, the log was altered.',
  },
  LOG_RANGE: {
    class: 'usage',
    message: 'The log has no such entry or size.',
    next: 'Ask for an entry below, or a size up to, the size of the checkpoint.',
  },
  LOG_ENTRY_LIMIT: {
    class: 'limit',
    message: 'An entry is longer than 65535 bytes.',
    next: 'Log a digest of what does not fit.',
  },
  LOG_UNAVAILABLE: {
    class: 'unavailable',
    message: 'The log could not be read or written.',
    next: 'Check its address or folder, disk and network, then try again; after a failed write, restart the service that writes it.',
  },
  LOG_LOCKED: {
    class: 'conflict',
    message: 'Another process writes this log.',
    next: 'Stop the other process; a log has one writer.',
  },
  LOG_STORE_DAMAGED: {
    class: 'conflict',
    message: 'The folder of the log is damaged, or was put back to an earlier state.',
    next: 'Keep the folder as evidence and restore a copy that holds every entry of the newest checkpoint.',
  },
  LOG_WITNESS_REQUEST: {
    class: 'usage',
    message: 'This is not a request that a witness takes.',
    next: 'Send the old size, a consistency proof, an empty line and the checkpoint (c2sp.org/tlog-witness).',
  },
  LOG_WITNESS_UNKNOWN: {
    class: 'not-mine',
    message: 'The witness does not watch this log.',
    next: 'Give the witness the key of this log, or ask another witness.',
  },
  LOG_WITNESS_REFUSED: {
    class: 'denied',
    message: 'The witness did not cosign the checkpoint.',
    next: 'Read the status in the detail, and ask whoever runs the witness.',
  },
  LOG_WITNESS_CONFLICT: {
    class: 'conflict',
    message: 'The witness stands at another size of the log.',
    next: 'Send a consistency proof from the size that the witness names.',
  },
  LOG_WITNESS_INCONSISTENT: {
    class: 'denied',
    message: 'The checkpoint does not continue what the witness cosigned.',
    next: 'Log and witness saw different histories: find out which copy of the log was put back, and keep both checkpoints.',
  },
  LOG_WITNESS_STATE: {
    class: 'conflict',
    message: 'The state of the witness is damaged.',
    next: 'Restore nothing older: a witness that lost its state is retired and gets a new key.',
  },
} as const satisfies Record<string, ErrorFacts>);
