import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import type { ModelTask } from '../manifest.ts';
import { parseJsonText } from '../release/json.ts';

const maxConfigLength = 64 * 1024 * 1024;

/** config.json of an exported Hugging Face model: the members that tell its task. */
const configSchema = z.looseObject({
  architectures: z.array(z.string().max(256)).max(16).optional(),
  id2label: z.record(z.string().regex(/^[0-9]{1,6}$/), z.string().max(1024)).optional(),
});

const tokenizerSchema = z.looseObject({ model: z.looseObject({}) });

/**
 * The task of an ONNX model. Classifiers name an architecture "...ForSequenceClassification" and their labels; encoders
 * one that ends in "Model", or none at all. Errors: MODEL_ONNX_CONFIG, MODEL_TASK_UNKNOWN.
 */
export function taskOfConfig(bytes: Uint8Array): ModelTask {
  const config = readJson(bytes, 'config.json', configSchema);
  const architectures = config.architectures ?? [];
  if (architectures.some((name) => name.endsWith('ForSequenceClassification'))) {
    const labels = Object.keys(config.id2label ?? {});
    if (labels.length === 0 || labels.some((_, index) => config.id2label?.[String(index)] === undefined)) {
      throw new FastnessError('MODEL_ONNX_CONFIG', 'config.json has no id2label that numbers its classes from 0.');
    }
    return 'classify';
  }
  if (architectures.every((name) => name.endsWith('Model'))) return 'embed';
  throw new FastnessError(
    'MODEL_TASK_UNKNOWN',
    `config.json names ${JSON.stringify(architectures[0]?.slice(0, 100))}.`,
  );
}

/** Errors: MODEL_ONNX_CONFIG. */
export function checkTokenizer(bytes: Uint8Array): void {
  readJson(bytes, 'tokenizer.json', tokenizerSchema);
}

function readJson<T>(bytes: Uint8Array, what: string, schema: z.ZodType<T>): T {
  let text: string;
  try {
    text = utf8Decode(bytes);
  } catch {
    throw new FastnessError('MODEL_ONNX_CONFIG', `${what} is not UTF-8.`);
  }
  return parseJsonText(text, { schema, maxLength: maxConfigLength, code: 'MODEL_ONNX_CONFIG', what });
}
