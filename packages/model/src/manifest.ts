import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { geometryOf } from './floe/geometry.ts';
import { keyShareSetSchema } from './key-shares.ts';
import { maxSegmentSize, minSegmentSize } from './floe/parameters.ts';
import { parseJsonText } from './release/json.ts';
import { compareResourcePaths } from './release/resource-name.ts';

/** Which engine serves the model, and what it is asked for. */
export const modelEngines = Object.freeze(['llama', 'onnx', 'upstream'] as const);
export const modelTasks = Object.freeze(['generate', 'embed', 'classify'] as const);
export type ModelEngine = (typeof modelEngines)[number];
export type ModelTask = (typeof modelTasks)[number];

/** The model's name in releases and in the API. */
export const modelIdPattern = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/;

/** Files in a sealed model, characters in a path, characters in manifest.json. */
export const maxModelFiles = 10_000;
export const maxModelPathLength = 1000;
const maxManifestLength = 16 * 1024 * 1024;

const manifestFileSchema = z.strictObject({
  /** Inside the model, relative, with forward slashes. */
  path: z.string().min(1).max(maxModelPathLength),
  /** Bytes of plaintext. */
  size: z.int().min(0),
  /** Bytes of ciphertext, which follow from `size` and the segment size. */
  sealedSize: z.int().min(0),
  /** Inside the sealed model: `files/<path>.floe`. */
  sealedPath: z.string().max(maxModelPathLength + 16),
  floe: z.strictObject({ segmentSize: z.int().min(minSegmentSize).max(maxSegmentSize) }),
});

/** manifest.json: what was sealed. The owner's signature covers it; `parseManifest` also checks that it agrees with itself. */
export const manifestSchema = z.strictObject({
  format: z.literal('fastness/manifest/v1'),
  modelId: z.string().regex(modelIdPattern),
  engine: z.enum(modelEngines),
  task: z.enum(modelTasks),
  /** Chosen at random for every sealing: 8 bytes, hex. */
  sealId: z.string().regex(/^[0-9a-f]{16}$/),
  /** Ordered by path components. */
  files: z.array(manifestFileSchema).min(1).max(maxModelFiles),
  /** Present when the root key is shared between brokers; absent when one broker has all of it. */
  keyShares: keyShareSetSchema.exactOptional(),
  createdAt: z.iso.datetime(),
});

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestFile = Manifest['files'][number];

/** Where the ciphertext of a file lies inside the sealed model. */
export function sealedPathOf(path: string): string {
  return `files/${path}.floe`;
}

/**
 * Reads manifest.json, strictly.
 * Errors: MANIFEST_MALFORMED, MANIFEST_PATH, MANIFEST_DUPLICATE (also for files out of order), MANIFEST_SIZE.
 */
export function parseManifest(text: string): Manifest {
  const manifest = parseJsonText(text, {
    schema: manifestSchema,
    maxLength: maxManifestLength,
    code: 'MANIFEST_MALFORMED',
    what: 'The manifest',
  });
  let previous: string | undefined;
  for (const [index, file] of manifest.files.entries()) {
    const fault = modelPathFault(file.path);
    if (fault !== undefined) throw new FastnessError('MANIFEST_PATH', `File ${index}: ${fault}`);
    if (file.sealedPath !== sealedPathOf(file.path)) {
      throw new FastnessError('MANIFEST_PATH', `File ${index}: the sealed path is not the one of its path.`);
    }
    if (previous !== undefined && compareResourcePaths(previous, file.path) >= 0) {
      throw new FastnessError('MANIFEST_DUPLICATE', `File ${index}.`);
    }
    previous = file.path;
    if (sealedSizeOf(file) !== file.sealedSize) throw new FastnessError('MANIFEST_SIZE', `File ${index}.`);
  }
  return manifest;
}

function sealedSizeOf(file: ManifestFile): number | undefined {
  try {
    return geometryOf(file.size, file.floe.segmentSize).sealedSize;
  } catch {
    return undefined;
  }
}

/** Folders that model signatures leave out by definition (OMS), so nothing of a model may live there. */
const ignoredBySignatures: ReadonlySet<string> = new Set(['.git', '.github']);

/**
 * What is wrong with a path inside a model, in words; undefined when nothing is. Paths are relative, their parts are
 * neither empty, "." nor "..", and hold no control character, backslash or half surrogate.
 */
export function modelPathFault(path: string): string | undefined {
  if (path.length === 0 || path.length > maxModelPathLength) return `the path has ${path.length} characters.`;
  if (!path.isWellFormed()) return 'the path is not Unicode.';
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return 'the path has a control character or a backslash.';
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    return 'the path is absolute or has an empty part, "." or "..".';
  }
  const ignored = parts.find((part) => ignoredBySignatures.has(part));
  return ignored === undefined ? undefined : `signatures ignore everything in ${ignored}.`;
}
