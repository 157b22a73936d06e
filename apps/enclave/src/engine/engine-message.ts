import { FastnessError } from '@fastness/codec/errors';

const MAX_LENGTH = 300;

/**
 * MODEL_DOES_NOT_LOAD with the engine's own words: one line, printable ASCII only, bounded, and without the paths of
 * descriptors, which say nothing to a reader. Engines speak about formats and tensors here, not about content: nothing
 * but the model has been given to them yet.
 */
export function doesNotLoad(cause: unknown): FastnessError {
  return new FastnessError('MODEL_DOES_NOT_LOAD', engineMessage(cause), { cause });
}

export function engineMessage(cause: unknown): string {
  const raw = cause instanceof Error ? cause.message : String(cause);
  const line = raw
    .replaceAll(/\/proc\/self\/fd\/\d+/gu, 'the model')
    .replaceAll(/[^\x20-\x7e]+/gu, ' ')
    .replaceAll(/ {2,}/gu, ' ')
    .trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}...` : line;
}
