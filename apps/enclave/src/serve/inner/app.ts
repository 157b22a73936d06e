import { Hono } from 'hono';
import type { z } from 'zod';
import { FastnessError } from '@fastness/codec/errors';
import type { Pass } from '../../access/pass.ts';
import { TenantLimit } from '../../access/tenant-usage.ts';
import { isEventStream, shapedAnswer } from '../traffic/whole-answer.ts';
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
  };
  app.get('/v1/models', () => jsonResponse({ object: 'list', data: [model] }));
  app.get('/v1/models/:id', (c) =>
    c.req.param('id') === model.id ? jsonResponse(model) : errorResponse(noSuchModel()),
  );
  const post = <T extends { model: string }>(path: string, schema: z.ZodType<T>, endpoint: Endpoint<T>): void => {
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
  app.notFound(() => {
    const error = new FastnessError('ENCLAVE_REQUEST', 'The model has no such endpoint.');
    return errorResponse(new ApiError(error, { status: 404 }));
  });
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
    return shapedAnswer(await admitted(request), { began, shape, signal: request.signal });
  };
}

function noSuchModel(): ApiError {
  const error = new FastnessError(
    'ENCLAVE_REQUEST',
    'This enclave does not serve that model; GET /v1/models names the one it serves.',
  );
  return new ApiError(error, { param: 'model', status: 404 });
}
