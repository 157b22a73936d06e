import { concatBytes } from '@fastness/codec/bytes';
import { z } from 'zod';
import type { Allowed } from '../traffic/whole-answer.ts';
import type { ApiLimits } from './limits.ts';

const generating: ReadonlySet<string> = new Set(['/v1/chat/completions', '/v1/completions']);

const tokens = z.int().positive().nullish().catch(undefined);
const allowedSchema = z.object({ max_tokens: tokens, max_completion_tokens: tokens });

/**
 * The tokens that a request to generate allows, read from a copy of it before anybody decides about it: a refusal then leaves
 * when its answer would have. Undefined: it asks for something else. What cannot be read states no limit.
 */
export async function allowedBy(request: Request, limits: ApiLimits): Promise<Allowed | undefined> {
  if (request.method !== 'POST' || !generating.has(new URL(request.url).pathname)) return undefined;
  const { max_tokens, max_completion_tokens } = await statedIn(request.clone(), limits.bodyBytes);
  const stated = max_completion_tokens ?? max_tokens ?? undefined;
  // What is more than any answer may have is refused, and waits no longer than the longest.
  return { maxTokens: stated === undefined ? undefined : Math.min(stated, limits.maxTokens) };
}

async function statedIn(request: Request, limit: number): Promise<z.infer<typeof allowedSchema>> {
  try {
    const bytes = request.body === null ? undefined : await begun(request.body, limit);
    return allowedSchema.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch {
    // Whoever reads the request itself says what is wrong with it.
    return {};
  }
}

/** All of a body that is no longer than `limit`. */
async function begun(body: ReadableStream<Uint8Array>, limit: number): Promise<Uint8Array> {
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let room = limit;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    room -= part.value.length;
    if (room >= 0) continue;
    // Ends only when the request itself is given up too, which whoever reads that decides.
    void reader.cancel().catch(() => undefined);
    break;
  }
  return concatBytes(...parts);
}
