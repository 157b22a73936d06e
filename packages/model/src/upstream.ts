import { isAbsolute, normalize } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { parseJsonText } from './release/json.ts';

/** The file of a model that says which server serves it. */
export const upstreamFile = 'upstream.json';
const maxLength = 64 * 1024;

/** Servers whose own parameters keep what tenants sent apart; `openai` is any other. */
const upstreamDialects = Object.freeze(['llama-server', 'vllm', 'sglang', 'openai'] as const);

const absolutePath = z
  .string()
  .max(1024)
  .refine((path) => isAbsolute(path) && normalize(path) === path, 'expected an absolute path without detours');

const pinnedFile = z.strictObject({
  path: absolutePath,
  /** Of the file's bytes: what runs is what was hashed. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * upstream.json: the server that an enclave starts next to itself, and how. It is one of the sealed files, so the owner's
 * signature covers it and the host can neither read nor change it.
 *
 * In `arguments` and `environment` stand for themselves: `{file:PATH}` a file of the model (a path that the server opens once),
 * `{folder}` a folder with all of them, `{socket}` the path of the Unix socket to listen on, `{port}` the port of the loopback
 * interface instead, `{sequences}` and `{context}` the limits of the enclave's configuration. `{key}`, in `environment` only,
 * is a secret that every request to the server carries: with `{port}` it is needed, as any program here could connect.
 */
export const upstreamSchema = z
  .strictObject({
    format: z.literal('fastness/upstream/v1'),
    task: z.enum(['generate', 'embed']),
    dialect: z.enum(upstreamDialects),
    program: pinnedFile,
    /** Libraries and other files that it loads, where the measured image does not vouch for them. */
    libraries: z.array(pinnedFile).max(256).default([]),
    arguments: z.array(z.string().max(4096)).max(256),
    environment: z.record(z.string().regex(/^[A-Z_][A-Z0-9_]{0,63}$/), z.string().max(4096)).default({}),
    /** What the server calls the model. */
    model: z.string().min(1).max(256).default('default'),
    /** Tokens of prompt and answer together, as the API states it. */
    contextLength: z.int().min(1).max(16_777_216),
    /** What the server can do beside text: tools that a model calls, answers in JSON. */
    features: z.array(z.enum(['tools', 'json'])).default([]),
    /** Seconds that loading may take. */
    startSeconds: z.int().min(1).max(3600).default(600),
  })
  .refine(
    ({ arguments: given }) => given.some((argument) => argument.includes('{socket}') || argument.includes('{port}')),
    { path: ['arguments'], message: 'name neither {socket} nor {port}' },
  )
  .refine(({ arguments: given }) => !given.some((argument) => argument.includes('{key}')), {
    path: ['arguments'],
    message: 'a key is no argument: every program can read those',
  })
  .refine(
    ({ arguments: given, environment }) =>
      !given.some((argument) => argument.includes('{port}')) ||
      Object.values(environment).some((value) => value.includes('{key}')),
    { path: ['environment'], message: 'a port needs a {key}' },
  );

export type UpstreamSpec = z.infer<typeof upstreamSchema>;

/** Errors: MODEL_UPSTREAM. */
export function parseUpstream(text: string): UpstreamSpec {
  try {
    return parseJsonText(text, { schema: upstreamSchema, maxLength, code: 'MODEL_UPSTREAM', what: upstreamFile });
  } catch (error) {
    throw error instanceof FastnessError ? error : new FastnessError('MODEL_UPSTREAM');
  }
}
