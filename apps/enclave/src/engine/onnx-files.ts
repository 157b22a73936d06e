import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';
import type { EngineFiles, ModelFile } from './engine.ts';
import { doesNotLoad } from './engine-message.ts';

/** What an export of a Hugging Face model consists of, read and checked. */
export interface OnnxFiles {
  readonly model: ModelFile;
  readonly tokenizer: Tokenizer;
  readonly padId: number;
  /** Tokens that one text may have. */
  readonly maxTokens: number;
  /** Class names by output index; empty where config.json has none. */
  readonly labels: readonly string[];
}

/** Small files are read into the heap of JavaScript; larger ones than this are no configuration. */
const MAX_JSON_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_TOKENS = 512;

const configSchema = z.looseObject({
  id2label: z.record(z.string().regex(/^\d{1,4}$/u), z.string().min(1).max(256)).optional(),
  max_position_embeddings: z.int().positive().optional(),
  pad_token_id: z.int().nonnegative().nullish(),
});
const tokenizerConfigSchema = z.looseObject({ model_max_length: z.number().positive().optional() });

/** Throws ENCLAVE_MODEL_FILES, MODEL_DOES_NOT_LOAD. */
export function readOnnxFiles({ files, limits }: EngineFiles): OnnxFiles {
  const models = [...files].filter(([path]) => path.endsWith('.onnx'));
  const [model] = models;
  if (model === undefined || models.length > 1) {
    throw new FastnessError('ENCLAVE_MODEL_FILES', `${models.length} .onnx files; onnx needs exactly one.`);
  }
  if ([...files.keys()].some((path) => /\.onnx[._]data$/u.test(path))) {
    throw new FastnessError(
      'ENCLAVE_MODEL_FILES',
      'Weights beside the .onnx file are not supported; export them into it.',
    );
  }
  const config = parse(configSchema, files, 'config.json') ?? {};
  const tokenizerConfig = parse(tokenizerConfigSchema, files, 'tokenizer_config.json') ?? {};
  const tokenizerJson = parse(z.looseObject({}), files, 'tokenizer.json');
  if (tokenizerJson === undefined) throw new FastnessError('ENCLAVE_MODEL_FILES', 'tokenizer.json is missing.');
  // Padding and truncation belong to this engine, whatever the file asks for.
  let tokenizer: Tokenizer;
  try {
    tokenizer = new Tokenizer({ ...tokenizerJson, padding: null, truncation: null }, tokenizerConfig);
  } catch (cause) {
    throw doesNotLoad(cause);
  }
  return {
    model: model[1],
    tokenizer,
    padId: config.pad_token_id ?? tokenizer.token_to_id('[PAD]') ?? tokenizer.token_to_id('<pad>') ?? 0,
    maxTokens: Math.min(
      limits.contextLength,
      config.max_position_embeddings ?? DEFAULT_MAX_TOKENS,
      tokenizerConfig.model_max_length ?? Number.POSITIVE_INFINITY,
    ),
    labels: labelsOf(config.id2label ?? {}),
  };
}

function labelsOf(id2label: Record<string, string>): string[] {
  const labels = Object.entries(id2label)
    .map(([id, label]) => ({ id: Number(id), label }))
    .sort((a, b) => a.id - b.id);
  if (labels.some(({ id }, index) => id !== index)) {
    throw new FastnessError('ENCLAVE_MODEL_FILES', 'id2label of config.json does not number the classes from 0.');
  }
  return labels.map(({ label }) => label);
}

/** Files may lie in a folder of the sealed model; the first by that name is meant. */
function parse<T>(schema: z.ZodType<T>, files: EngineFiles['files'], name: string): T | undefined {
  const file = [...files].find(([path]) => path === name || path.endsWith(`/${name}`))?.[1];
  if (file === undefined) return undefined;
  if (file.size() > MAX_JSON_BYTES) throw new FastnessError('ENCLAVE_MODEL_FILES', `${name} is too large.`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.read()));
  } catch {
    throw new FastnessError('ENCLAVE_MODEL_FILES', `${name} is not JSON.`);
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const place = result.error.issues[0]?.path.map(String).join('.') ?? '';
    throw new FastnessError('ENCLAVE_MODEL_FILES', `${name}: ${place} is not as expected.`);
  }
  return result.data;
}
