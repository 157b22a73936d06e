import { z } from 'zod';

/**
 * What the inner API reads. Parameters that would change the answer and that this enclave cannot honour are refused,
 * not ignored; the neutral value of such a parameter is accepted.
 */

const stop = z.union([z.string().min(1).max(256), z.array(z.string().min(1).max(256)).max(4)]).nullish();

const only = <T extends string | number | boolean>(value: T, error: string) => z.literal(value, { error });
const penalty = only(0, 'other values than 0 are not supported').nullish();

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
  n: only(1, 'only 1 is supported: send the request again for another answer').nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  logit_bias: z.strictObject({}, { error: 'not supported' }).nullish(),
  user: z.string().nullish(),
  /** Hints that change no answer: who asks is known by the API key, and no cache is shared between requests. */
  prompt_cache_key: z.string().nullish(),
  safety_identifier: z.string().nullish(),
  service_tier: z.enum(['auto', 'default'], { error: 'there is one tier' }).nullish(),
} as const;

const textPart = z.discriminatedUnion('type', [z.strictObject({ type: z.literal('text'), text: z.string() })], {
  error: 'only parts of type text are supported: images, audio and files are not read here',
});
const content = z.union([z.string(), z.array(textPart).max(64)]);

const toolCall = z.strictObject({
  id: z.string().max(256),
  type: z.literal('function'),
  function: z.strictObject({ name: z.string().max(256), arguments: z.string() }),
});

const message = z.discriminatedUnion(
  'role',
  [
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
  ],
  { error: 'must be an object whose role is system, developer, user, assistant or tool' },
);

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
  logprobs: only(false, 'not supported').nullish(),
  top_logprobs: only(0, 'not supported').nullish(),
  modalities: z.tuple([z.literal('text')], { error: 'answers are text: only ["text"] is supported' }).nullish(),
  response_format: responseFormat.nullish(),
  /** None where the list is empty, as clients send it that add tools as they go. */
  tools: z.array(tool).max(128).nullish(),
  tool_choice: z
    .union([
      z.enum(['none', 'auto', 'required']),
      z.strictObject({ type: z.literal('function'), function: z.strictObject({ name: z.string().max(256) }) }),
    ])
    .nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  store: only(false, 'nothing is stored here').nullish(),
});
export type ChatRequest = z.infer<typeof chatRequestSchema>;

export const completionRequestSchema = z.strictObject({
  ...sampling,
  prompt: z.union([z.string().min(1), z.tuple([z.string().min(1)])], {
    error: 'must be one text: neither several nor tokens are read',
  }),
  max_tokens: z.int().positive().nullish(),
  best_of: only(1, 'other values than 1 are not supported').nullish(),
  echo: only(false, 'not supported').nullish(),
  suffix: z.null({ error: 'not supported' }).optional(),
  logprobs: z.null({ error: 'not supported' }).optional(),
});
export type CompletionRequest = z.infer<typeof completionRequestSchema>;

const input = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
  error: 'must be a text or a list of texts: tokens are not read',
});

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
