import type { Tensor } from 'onnxruntime-node';
import { FastnessError } from '@fastness/codec/errors';
import type { Classification } from './engine.ts';
import { unitLength } from './unit-length.ts';

/** One vector of unit length for each text: the model's own sentence vector, or the mean over its tokens. */
export function toEmbeddings(
  outputs: Readonly<Record<string, Tensor>>,
  lengths: readonly number[],
  columns: number,
): Float32Array[] {
  const sentence = outputs['sentence_embedding'];
  if (sentence !== undefined) {
    const [rows, width, data] = matrix(sentence, lengths.length);
    return Array.from({ length: rows }, (_, row) => unitLength(data.slice(row * width, (row + 1) * width)));
  }
  const hidden = outputs['last_hidden_state'] ?? outputs['token_embeddings'] ?? Object.values(outputs)[0];
  const width = hidden?.dims[2];
  if (hidden === undefined || hidden.dims.length !== 3 || width === undefined) {
    throw unexpected('no last_hidden_state of shape [texts, tokens, width]');
  }
  const data = floats(hidden, lengths.length * columns * width);
  return lengths.map((length, row) => {
    // Texts are padded at their end, so a text's own tokens are the first `length` ones.
    const mean = new Float32Array(width);
    for (let token = 0; token < length; token++) {
      const start = (row * columns + token) * width;
      for (let index = 0; index < width; index++) mean[index] = (mean[index] ?? 0) + (data[start + index] ?? 0);
    }
    return unitLength(mean);
  });
}

/** Softmax over `logits`, best class first; classes without a name are called by their number, LABEL_0 and so on. */
export function toClassifications(
  outputs: Readonly<Record<string, Tensor>>,
  lengths: readonly number[],
  labels: readonly string[],
): Classification[] {
  const logits = outputs['logits'] ?? Object.values(outputs)[0];
  if (logits === undefined) throw unexpected('no logits');
  const [, width, data] = matrix(logits, lengths.length);
  if (width < 2) throw unexpected('fewer than two classes');
  if (labels.length > 0 && labels.length !== width) throw unexpected(`${width} classes and ${labels.length} names`);
  return lengths.map((tokens, row) => {
    const scores = softmax(data.subarray(row * width, (row + 1) * width));
    return {
      tokens,
      scores: Array.from(scores, (score, index) => ({ label: labels[index] ?? `LABEL_${index}`, score })).sort(
        (a, b) => b.score - a.score,
      ),
    };
  });
}

/** In double precision, shifted by the largest value so that nothing overflows. */
export function softmax(logits: Float32Array): Float64Array {
  const largest = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const powers = Float64Array.from(logits, (value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

function matrix(tensor: Tensor, rows: number): [rows: number, width: number, data: Float32Array] {
  const width = tensor.dims[1];
  if (tensor.dims.length !== 2 || tensor.dims[0] !== rows || width === undefined)
    throw unexpected('an output that is no matrix');
  return [rows, width, floats(tensor, rows * width)];
}

function floats(tensor: Tensor, length: number): Float32Array {
  if (!(tensor.data instanceof Float32Array) || tensor.data.length !== length) {
    throw unexpected(`an output of type ${tensor.type} and ${tensor.size} values`);
  }
  return tensor.data;
}

function unexpected(what: string): FastnessError {
  return new FastnessError('MODEL_DOES_NOT_LOAD', `The model has ${what}.`);
}
