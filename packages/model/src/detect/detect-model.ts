import { FastnessError } from '@fastness/codec/errors';
import type { ModelEngine, ModelTask } from '../manifest.ts';
import { listSource, openSource, type SourceFile } from '../seal/source.ts';
import { readFully } from '../threads/file-io.ts';
import { readGgufHeader, type GgufHeader } from './gguf.ts';
import { checkOnnxFile } from './onnx.ts';
import { checkTokenizer, taskOfConfig } from './onnx-config.ts';
import { parseUpstream, upstreamFile } from '../upstream.ts';

/** What a model on disk is, and how it is to be served. */
export interface DetectedModel {
  readonly format: 'gguf' | 'onnx' | 'upstream';
  readonly engine: ModelEngine;
  readonly task: ModelTask;
  /** The file that the engine loads; of a split model the first part. */
  readonly main: string;
  /** As GGUF names it; undefined for ONNX. */
  readonly architecture: string | undefined;
  /** Everything that would be sealed; sizes in bytes. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Architectures of llama.cpp that only encode (llama-arch.cpp). */
const encoders: ReadonlySet<string> = new Set([
  'bert',
  'eurobert',
  'gemma-embedding',
  'jina-bert-v2',
  'jina-bert-v3',
  'llama-embed',
  'modern-bert',
  'neo-bert',
  'nomic-bert',
  'nomic-bert-moe',
  't5encoder',
]);
const maxJsonLength = 64 * 1024 * 1024;

/**
 * Finds out which engine and task a model on disk is for, and that its files are whole as far as their headers tell: a
 * GGUF file, a folder with one GGUF model, a folder with model.onnx, tokenizer.json and config.json, or a folder with an
 * upstream.json and what the server that it names reads. Whether the
 * engine loads it only loading shows.
 * Errors: MODEL_UPSTREAM, MODEL_FORMAT_UNKNOWN, MODEL_FORMAT_AMBIGUOUS, MODEL_TASK_UNKNOWN, MODEL_GGUF_*, MODEL_ONNX_*, SEAL_SOURCE_*,
 * SEAL_IO.
 */
export async function detectModel(source: string): Promise<DetectedModel> {
  const { files, isFolder } = await listSource(source);
  const found = { files: files.map(({ path, size }) => ({ path, size })) };
  const upstream = isFolder ? files.find(({ path }) => path === upstreamFile) : undefined;
  if (upstream !== undefined) return { ...found, ...(await detectUpstream(upstream, files)) };
  const ggufs = isFolder ? files.filter(({ path }) => path.toLowerCase().endsWith('.gguf')) : files;
  const onnxes = files.filter(({ path }) => isFolder && path.endsWith('.onnx'));
  if (ggufs.length > 0 && onnxes.length > 0) {
    throw new FastnessError('MODEL_FORMAT_AMBIGUOUS', 'It holds GGUF and ONNX files.');
  }
  if (ggufs.length > 0) return { ...found, ...(await detectGguf(ggufs)) };
  if (onnxes.length > 1) throw new FastnessError('MODEL_FORMAT_AMBIGUOUS', `It holds ${onnxes.length} .onnx files.`);
  if (onnxes.length === 1) return { ...found, ...(await detectOnnx(files)) };
  throw new FastnessError('MODEL_FORMAT_UNKNOWN', 'The folder holds no .gguf and no .onnx file.');
}

type Detected = Omit<DetectedModel, 'files'>;

async function detectGguf(files: readonly SourceFile[]): Promise<Detected> {
  const headers: GgufHeader[] = [];
  for (const file of files) headers.push(await readFile(file, readGgufHeader));
  const [first] = headers;
  if (first === undefined) throw new FastnessError('MODEL_FORMAT_UNKNOWN');
  if (first.split === undefined && headers.length > 1) {
    throw new FastnessError('MODEL_FORMAT_AMBIGUOUS', `It holds ${headers.length} GGUF files.`);
  }
  checkParts(files, headers);
  if (!first.hasTokenizer) throw new FastnessError('MODEL_GGUF_TOKENIZER');
  const { architecture } = first;
  return { format: 'gguf', engine: 'llama', task: taskOfGguf(first), main: files[0]?.path ?? '', architecture };
}

function taskOfGguf({ architecture, poolingType }: GgufHeader): ModelTask {
  if (poolingType === 4) throw new FastnessError('MODEL_TASK_UNKNOWN', 'It is a reranker.');
  const pools = poolingType !== undefined && poolingType > 0;
  return pools || encoders.has(architecture) ? 'embed' : 'generate';
}

/** The parts of a split model: all there, in the order of their names, which is the order the engine looks for. */
function checkParts(files: readonly SourceFile[], headers: readonly GgufHeader[]): void {
  const split = headers[0]?.split;
  if (split === undefined) return;
  if (headers.length !== split.parts) {
    throw new FastnessError('MODEL_GGUF_SPLIT', `${headers.length} of ${split.parts} parts are there.`);
  }
  const stem = /^(.*)-00001-of-[0-9]{5}\.gguf$/.exec(files[0]?.path ?? '')?.[1];
  for (const [index, header] of headers.entries()) {
    const number = (value: number): string => String(value).padStart(5, '0');
    const name = `${stem}-${number(index + 1)}-of-${number(split.parts)}.gguf`;
    if (stem === undefined || files[index]?.path !== name)
      throw new FastnessError('MODEL_GGUF_SPLIT', 'A part has another name.');
    if (header.split?.part !== index || header.split.parts !== split.parts) {
      throw new FastnessError('MODEL_GGUF_SPLIT', `Part ${index + 1} says it is another.`);
    }
  }
}

async function detectOnnx(files: readonly SourceFile[]): Promise<Detected> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const named = (name: string): SourceFile => {
    const file = byPath.get(name);
    if (file === undefined) throw new FastnessError('MODEL_FORMAT_UNKNOWN', `The folder holds no ${name}.`);
    return file;
  };
  const [model, tokenizer, config] = [named('model.onnx'), named('tokenizer.json'), named('config.json')];
  if (files.some(({ path }) => /\.onnx[._]data$/.test(path))) throw new FastnessError('MODEL_ONNX_EXTERNAL_DATA');
  await readFile(model, checkOnnxFile);
  checkTokenizer(await readWhole(tokenizer));
  const task = taskOfConfig(await readWhole(config));
  return { format: 'onnx', engine: 'onnx', task, main: model.path, architecture: undefined };
}

async function detectUpstream(file: SourceFile, files: readonly SourceFile[]): Promise<Detected> {
  const { task, arguments: given } = parseUpstream(new TextDecoder().decode(await readWhole(file)));
  const named = given.flatMap((argument) => [...argument.matchAll(/\{file:([^}]*)\}/g)].map(([, path]) => path));
  const missing = named.find((path) => !files.some((each) => each.path === path));
  if (missing !== undefined) throw new FastnessError('MODEL_UPSTREAM', `There is no file ${JSON.stringify(missing)}.`);
  return { format: 'upstream', engine: 'upstream', task, main: upstreamFile, architecture: undefined };
}

async function readFile<T>(file: SourceFile, read: (fd: number, size: number) => T): Promise<T> {
  await using handle = await openSource(file);
  return read(handle.fd, file.size);
}

function readWhole(file: SourceFile): Promise<Uint8Array> {
  if (file.size > maxJsonLength) throw new FastnessError('MODEL_ONNX_CONFIG', `${file.path} has ${file.size} bytes.`);
  return readFile(file, (fd, size) => {
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, readFully(fd, bytes, 0));
  });
}
