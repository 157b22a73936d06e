import { Tensor } from 'onnxruntime-node';
import type { OnnxFiles } from './onnx-files.ts';
import { FastnessError } from '@fastness/codec/errors';

/** Texts as the tensors that exports of Hugging Face models take: [texts, longest text], 64-bit integers. */
export interface Batch {
  readonly feeds: Record<string, Tensor>;
  readonly rows: number;
  readonly columns: number;
  /** Tokens of each text. */
  readonly lengths: readonly number[];
}

/** Throws ENCLAVE_CONTEXT_LENGTH: texts are never cut silently. */
export function toBatch(texts: readonly string[], files: OnnxFiles, inputNames: readonly string[]): Batch {
  const encodings = texts.map((text) => files.tokenizer.encode(text, { return_token_type_ids: true }));
  const lengths = encodings.map(({ ids }) => ids.length);
  const longest = Math.max(...lengths);
  if (longest > files.maxTokens) {
    throw new FastnessError('ENCLAVE_CONTEXT_LENGTH', `${longest} of ${files.maxTokens} tokens.`);
  }
  const columns = Math.max(1, longest);
  const dims = [texts.length, columns];
  const tensor = (fill: number, rowOf: (row: number) => readonly number[] | undefined): Tensor => {
    const data = new BigInt64Array(texts.length * columns).fill(BigInt(fill));
    for (let row = 0; row < texts.length; row++) {
      rowOf(row)?.forEach((value, column) => (data[row * columns + column] = BigInt(value)));
    }
    return new Tensor('int64', data, dims);
  };
  const feeds: Record<string, Tensor> = {
    input_ids: tensor(files.padId, (row) => encodings[row]?.ids),
    attention_mask: tensor(0, (row) => encodings[row]?.attention_mask),
  };
  if (inputNames.includes('token_type_ids')) {
    feeds['token_type_ids'] = tensor(0, (row) => encodings[row]?.token_type_ids);
  }
  if (!inputNames.includes('attention_mask')) delete feeds['attention_mask'];
  return { feeds, rows: texts.length, columns, lengths };
}
