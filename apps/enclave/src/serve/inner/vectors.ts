import { FastnessError } from '@fastness/codec/errors';
import { ApiError } from './api-error.ts';
import type { ApiContext } from './context.ts';
import { cannot } from './generate.ts';
import { jsonResponse } from './padding.ts';
import { started, type RequestScope } from './request-scope.ts';
import type { ClassificationRequest, EmbeddingRequest } from './schema.ts';

/** POST /v1/embeddings. */
export async function embeddings(
  context: ApiContext,
  request: EmbeddingRequest,
  scope: RequestScope,
): Promise<Response> {
  const { embed, info } = context.engine;
  if (embed === undefined) throw cannot(context.engine, 'embed');
  if (request.dimensions !== undefined && request.dimensions !== info.dimensions) {
    const error = new FastnessError('ENCLAVE_REQUEST', `The model makes ${info.dimensions} dimensions.`);
    throw new ApiError(error, { param: 'dimensions' });
  }
  const texts = textsOf(request.input, context);
  const made = await started(() => embed(texts, scope.signal, scope.pass.tenant.id), scope);
  const tokens = made.reduce((sum, item) => sum + item.tokens, 0);
  scope.pass.total(tokens);
  scope.signal.throwIfAborted();
  return jsonResponse({
    object: 'list',
    model: context.modelId,
    data: made.map(({ vector }, index) => ({
      object: 'embedding',
      index,
      embedding: request.encoding_format === 'base64' ? base64Of(vector) : Array.from(vector),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

/**
 * POST /v1/classifications, which is ours: `{object: 'list', model, data: [{object: 'classification', index, label,
 * scores: [{label, score}]}], usage}` with the best label first.
 */
export async function classifications(
  context: ApiContext,
  request: ClassificationRequest,
  scope: RequestScope,
): Promise<Response> {
  const { classify } = context.engine;
  if (classify === undefined) throw cannot(context.engine, 'classify');
  const texts = textsOf(request.input, context);
  const made = await started(() => classify(texts, scope.signal, scope.pass.tenant.id), scope);
  const tokens = made.reduce((sum, item) => sum + item.tokens, 0);
  scope.pass.total(tokens);
  scope.signal.throwIfAborted();
  return jsonResponse({
    object: 'list',
    model: context.modelId,
    data: made.map(({ scores }, index) => ({
      object: 'classification',
      index,
      label: scores[0]?.label ?? null,
      scores: scores.slice(0, request.top_k ?? scores.length),
    })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

function textsOf(input: string | readonly string[], { limits }: ApiContext): readonly string[] {
  const texts = typeof input === 'string' ? [input] : input;
  if (texts.length <= limits.inputs) return texts;
  throw new ApiError(new FastnessError('ENCLAVE_REQUEST', `input has more than ${limits.inputs} texts.`), {
    param: 'input',
  });
}

/** Little-endian floats, as OpenAI sends them. */
function base64Of(vector: Float32Array): string {
  const bytes = Buffer.alloc(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString('base64');
}
