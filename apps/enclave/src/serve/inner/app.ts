import { Hono } from 'hono';
import type { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';
import type { Pass } from '../../access/pass.ts';
import type { Engine } from '../../engine/engine.ts';
import { TenantLimit } from '../../access/tenant-usage.ts';
import { isEventStream, shapedAnswer } from '../traffic/whole-answer.ts';
import { allowedBy } from './allowed.ts';
import { ApiError, errorResponse } from './api-error.ts';
import type { ApiContext } from './context.ts';
import { chatCompletion, textCompletion } from './generate.ts';
import { jsonResponse } from './padding.ts';
import { readRequest, requestScope, type RequestScope } from './request-scope.ts';
import {
  chatRequestSchema,
  classificationRequestSchema,
  completionRequestSchema,
  embeddingRequestSchema,
} from './schema.ts';
import { classifications, embeddings } from './vectors.ts';

/** Of chat, completions, embeddings and classifications. The first two generate: `allowedBy`. */
const paths = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/classifications'] as const;

type Endpoint<T> = (context: ApiContext, request: T, scope: RequestScope) => Promise<Response>;

/**
 * The API of the model, as OpenAI's clients speak it. Nothing listens here: requests come out of the channel one by
 * one, and answers go back into it. `onError` sees what went wrong inside, for the log; requests never go there.
 */
export function createInnerApi(
  context: ApiContext,
  onError: (error: unknown) => void,
): (request: Request) => Promise<Response> {
  const app = new Hono<{ Bindings: { readonly pass: Pass } }>();
  const model = {
    id: context.modelId,
    object: 'model',
    created: Math.floor(context.now().getTime() / 1000),
    owned_by: 'fastness',
    task: context.engine.info.task,
    context_length: context.engine.info.contextLength,
    endpoints: endpointsOf(context.engine),
    features: [...(context.engine.features ?? [])],
  };
  app.get('/v1/models', () => jsonResponse({ object: 'list', data: [model] }));
  app.get('/v1/models/:id', (c) =>
    c.req.param('id') === model.id ? jsonResponse(model) : errorResponse(noSuchModel()),
  );
  const post = <T extends { model: string }>(
    path: (typeof paths)[number],
    schema: z.ZodType<T>,
    endpoint: Endpoint<T>,
  ): void => {
    app.post(path, async (c) => {
      const scope = requestScope(c.req.raw, context, c.env.pass);
      try {
        const request = await readRequest(c.req.raw, schema, { limits: context.limits, pass: scope.pass });
        if (request.model !== context.modelId) throw noSuchModel();
        scope.signal.throwIfAborted();
        const response = await endpoint(context, request, scope);
        if (!isEventStream(response)) scope.done();
        return response;
      } catch (error) {
        scope.done();
        throw error;
      }
    });
  };
  post('/v1/chat/completions', chatRequestSchema, chatCompletion);
  post('/v1/completions', completionRequestSchema, textCompletion);
  post('/v1/embeddings', embeddingRequestSchema, embeddings);
  post('/v1/classifications', classificationRequestSchema, classifications);
  for (const path of [...paths, '/v1/models', '/v1/models/:id']) app.all(path, () => errorResponse(wrongMethod()));
  app.notFound(() => errorResponse(new ApiError(new FastnessError('ENCLAVE_ENDPOINT'), { status: 404 })));
  app.onError((error, c) => {
    // A client that went away is no trouble, and sees no answer.
    if (!(error instanceof ApiError) && !c.req.raw.signal.aborted) onError(error);
    return errorResponse(error);
  });
  const { shape } = context;
  const admitted = async (request: Request): Promise<Response> => {
    let pass: Pass;
    try {
      pass = context.gate(request.headers);
    } catch (error) {
      return errorResponse(
        error instanceof TenantLimit ? new ApiError(error.error, { retryAfter: error.retryAfter }) : error,
      );
    }
    const response = await app.fetch(request, { pass });
    // A stream leaves when it ends.
    if (!isEventStream(response)) pass.leave();
    return response;
  };
  if (shape === undefined) return admitted;
  return async (request) => {
    const began = performance.now();
    const generated = await allowedBy(request, context.limits);
    return shapedAnswer(await admitted(request), { began, shape, signal: request.signal, generated });
  };
}

function noSuchModel(): ApiError {
  return new ApiError(new FastnessError('ENCLAVE_MODEL_UNKNOWN'), { param: 'model', status: 404 });
}

function wrongMethod(): ApiError {
  const error = new FastnessError('ENCLAVE_ENDPOINT', 'It is there for another method.');
  return new ApiError(error, { status: 405, code: 'method_not_supported' });
}

/** What can be asked of the model, for the list of models. */
function endpointsOf({ chat, complete, embed, classify }: Engine): string[] {
  const able = [chat, complete, embed, classify];
  return paths.filter((_, index) => able[index] !== undefined);
}
