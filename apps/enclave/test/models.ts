import { existsSync, readFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { EngineLimits, ModelFile } from '../src/engine/engine.ts';
import { createMemoryFile } from '../src/memory/index.ts';

const models = fileURLToPath(new URL('../../../models/', import.meta.url));

const triageDir = `${models}triage`;
export const triageFile = `${triageDir}/triage.gguf`;
export const classifierDir = `${models}triage-classifier`;
export const hasModels = existsSync(triageFile) && existsSync(`${classifierDir}/model.onnx`);

export const limits: EngineLimits = { sequences: 2, queue: 2, contextLength: 4096 };

/** A file of the models folder the way the enclave holds it: in sealed memory. */
function inMemory(path: string): ModelFile {
  const file = createMemoryFile({ name: 'test' });
  writeSync(file.fd, readFileSync(path));
  file.seal();
  return file;
}

export const triageFiles = (): Map<string, ModelFile> => new Map([['triage.gguf', inMemory(triageFile)]]);

export const classifierFiles = (): Map<string, ModelFile> =>
  new Map(['config.json', 'tokenizer.json', 'model.onnx'].map((name) => [name, inMemory(`${classifierDir}/${name}`)]));

const heldOutSchema = z.looseObject({ note: z.string(), answer: z.string() });

/** A held-out note and the answer that the training generator gives it. */
export function heldOut(index = 0): { note: string; answer: string } {
  const line = readFileSync(`${triageDir}/heldout.jsonl`, 'utf8').split('\n')[index] ?? '';
  return heldOutSchema.parse(JSON.parse(line));
}
