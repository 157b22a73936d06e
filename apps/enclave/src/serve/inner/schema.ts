import { z } from 'zod';

/**
 * What the inner API reads. Parameters that would change the answer and that this enclave cannot honour are refused,
 * not ignored; the neutral value of such a parameter is accepted.
 */

const stop = z.union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(4)]).nullish();

const sampling = {
  model: z.string(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.int().nullish(),
  stop,
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().optional(), include_obfuscation: z.boolean().optional() })
    .nullish(),
  n: z.literal(1).nullish(),
  presence_penalty: z.literal(0).nullish(),
  frequency_penalty: z.literal(0).nullish(),
  logit_bias: z.strictObject({}).nullish(),
  user: z.string().nullish(),
} as const;

const textPart = z.strictObject({ type: z.literal('text'), text: z.string() });
const content = z.union([z.string(), z.array(textPart).max(64)]);

const toolCall = z.strictObject({
  id: z.string().max(256),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string().max(256), arguments: z.string() }),
});

const message = z.discriminatedUnion('role', [
  z.strictObject({ role: z.enum(['system', 'developer', 'user']), content, name: z.string().optional() }),
  z.strictObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    tool_calls: z.array(toolCall).min(1).max(128).nullish(),
    name: z.string().optional(),
    refusal: z.null().optional(),
    annotations: z.array(z.never()).optional(),
  }),
  z.strictObject({ role: z.literal('tool'), content, tool_call_id: z.string().max(256) }),
]);

/** JSON of anybody's making that is handed on as it is: bounded by the size of the body. */
const schemaObject = z.record(z.string(), z.unknown());

const tool = z.strictObject({
  type: z.literal('function'),
  function: z.strictObject({
    name: z.string().min(1).max(256),
    description: z.string().optional(),
    parameters: schemaObject.optional(),
    strict: z.boolean().nullish(),
  }),
});

const responseFormat = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text') }),
  z.strictObject({ type: z.literal('json_object') }),
  z.strictObject({
    type: z.literal('json_schema'),
    json_schema: z.strictObject({
      name: z.string().max(256),
      description: z.string().optional(),
      schema: schemaObject.optional(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

export const chatRequestSchema = z.strictObject({
  ...sampling,
  messages: z.array(message).min(1),
  max_tokens: z.int().positive().nullish(),
  max_completion_tokens: z.int().positive().nullish(),
  logprobs: z.literal(false).nullish(),
  response_format: responseFormat.nullish(),
  tools: z.array(tool).min(1).max(128).nullish(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string().max(256) }) }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  store: z.literal(false).nullish(),
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;

export const completionRequestSchema = z.strictObject({
  ...sampling,
  prompt: z.union([z.string().min(1), z.tuple([z.string().min(1)])]),
  max_tokens: z.int().positive().nullish(),
  best_of: z.literal(1).nullish(),
  echo: z.literal(false).nullish(),
  suffix: z.null().optional(),
  logprobs: z.null().optional(),
});
export type CompletionRequest = z.infer<typeof completionRequestSchema>;

const input = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

export const embeddingRequestSchema = z.strictObject({
  model: z.string(),
  input,
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().positive().optional(),
  user: z.string().nullish(),
});
export type EmbeddingRequest = z.infer<typeof embeddingRequestSchema>;

/** Ours: OpenAI has no such endpoint. */
export const classificationRequestSchema = z.strictObject({
  model: z.string(),
  input,
  /** Scores to return for each text; all of them unless given. */
  top_k: z.int().positive().nullish(),
});
export type ClassificationRequest = z.infer<typeof classificationRequestSchema>;
