// The bare engine behind plain HTTP, for bench/channel.ts and bench/start.ts: the enclave's engine and inner API with
// nothing in between, and the model from a plain file. Not for use: nothing is encrypted, attested or limited here.
// Run: plain-server.ts MODEL.gguf MODEL_ID [PORT [SEQUENCES]]; prints {"event":"listening","url":...} once it serves.
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { configSchema } from '@fastness/enclave';
import { engineRuntime } from '../apps/enclave/src/engine/select.ts';
import { openGate } from '../apps/enclave/src/access/gate.ts';
import { createInnerApi } from '../apps/enclave/src/serve/inner/app.ts';
import { listen } from '../apps/enclave/src/serve/node-http.ts';

const [modelFile, modelId, port = '0', sequences] = process.argv.slice(2);
if (modelFile === undefined || modelId === undefined)
  throw new Error('Usage: plain-server.ts MODEL.gguf MODEL_ID [PORT]');

// The enclave's own defaults: same sequences, same frames.
const { engine: engineLimits, limits } = configSchema.parse({
  listen: { port: 0 },
  brokerUrl: 'http://127.0.0.1',
  modelDir: '.',
  ...(sequences === undefined ? {} : { engine: { sequences: Number(sequences), queue: 64 } }),
});
const runtime = await engineRuntime('llama');
const file = { path: modelFile, size: () => statSync(modelFile).size, read: () => readFileSync(modelFile) };
const engine = await runtime.load({
  files: new Map([[basename(modelFile), file]]),
  task: 'generate',
  limits: engineLimits,
});
const lease = new AbortController().signal;
const api = createInnerApi({ engine, modelId, limits, now: () => new Date(), gate: openGate, lease }, (error) => {
  throw error;
});

/** The relay forwards one path and one media type, so the path inside is the first line of the body. */
async function serve(request: Request): Promise<Response> {
  const [path = '', body = ''] = (await request.text()).split('\n', 2);
  return api(
    new Request(new URL(path, 'http://plain.invalid'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: request.signal,
    }),
  );
}

const { url } = await listen(serve, { host: '127.0.0.1', port: Number(port) });
process.stdout.write(`${JSON.stringify({ event: 'listening', url })}\n`);
