import { concatBytes, fromHex, toHex, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { sha256 } from './digest.ts';
import { parseJsonText, parseShape } from './json.ts';
import { checkResourceName, maxNameLength } from './resource-name.ts';

export const statementPayloadType = 'application/vnd.in-toto+json';
const statementType = 'https://in-toto.io/Statement/v1';
const predicateType = 'https://model_signing/signature/v1.0';
const predicateTypePre10 = 'https://model_signing/Digests/v0.1';

/** Characters of a statement, and resources in it. */
export const maxStatementLength = 32 * 1024 * 1024;
export const maxResources = 100_000;

/** How a model was turned into resources (OMS predicate 1.0, `serialization`). */
export interface Serialization {
  readonly method: 'files' | 'shards';
  readonly hashType: 'sha256';
  readonly allowSymlinks: boolean;
  /** Bytes; only with "shards". */
  readonly shardSize?: number;
  /** Paths inside the model that the signer left out, each with everything below it. */
  readonly ignorePaths: readonly string[];
}

/** A file, or one shard of a file. */
export interface Resource {
  /** Path inside the model; for a shard followed by ":start:end". "." when the model is a single file. */
  readonly name: string;
  /** SHA-256, hex. */
  readonly digest: string;
}

/** What an OMS signature says about a model. */
export interface ModelStatement {
  /** The folder's or file's name when it was signed; informative. */
  readonly modelName: string;
  /** SHA-256 over all resource digests in their order, hex. */
  readonly rootDigest: string;
  readonly serialization: Serialization;
  readonly resources: readonly Resource[];
}

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

const envelopeSchema = z.looseObject({ _type: z.string(), predicateType: z.string() });

const statementSchema = z.strictObject({
  _type: z.literal(statementType),
  subject: z.tuple([
    z.strictObject({ name: z.string().min(1).max(maxNameLength), digest: z.strictObject({ sha256: hex32 }) }),
  ]),
  predicateType: z.literal(predicateType),
  // Verifiers of 1.0 ignore further members of the predicate (OMS, "signing payload").
  predicate: z.object({
    serialization: z.object({
      method: z.string(),
      hash_type: z.string(),
      allow_symlinks: z.boolean(),
      shard_size: z.int().min(1).optional(),
      ignore_paths: z.array(z.string().max(maxNameLength)).max(1000).optional(),
    }),
    resources: z.array(z.object({ name: z.string(), algorithm: z.string().max(64), digest: hex32 })).max(maxResources),
  }),
});

/**
 * Reads the payload of an OMS signature and checks that it agrees with itself.
 * Errors: OMS_PAYLOAD_TYPE, OMS_PRE_1_0, OMS_STATEMENT, OMS_SERIALIZATION_UNSUPPORTED, OMS_RESOURCE_NAME,
 * OMS_RESOURCE_DUPLICATE, OMS_ROOT_DIGEST.
 */
export async function parseStatement(payload: Uint8Array): Promise<ModelStatement> {
  const value = readStatementType(payload);
  const parsed = parseShape(value, { schema: statementSchema, code: 'OMS_STATEMENT', what: 'The statement' });
  const [subject] = parsed.subject;
  const { resources } = parsed.predicate;
  const serialization = readSerialization(parsed.predicate.serialization);
  const algorithm = resourceAlgorithm(serialization);
  const seen = new Set<string>();
  for (const resource of resources) {
    if (resource.algorithm !== algorithm) {
      throw new FastnessError('OMS_STATEMENT', `A resource is not hashed by ${algorithm}.`);
    }
    checkResourceName(serialization.method === 'shards' ? parseShardName(resource.name).path : resource.name);
    if (seen.has(resource.name)) throw new FastnessError('OMS_RESOURCE_DUPLICATE');
    seen.add(resource.name);
  }
  if ((await rootDigestOf(resources)) !== subject.digest.sha256) throw new FastnessError('OMS_ROOT_DIGEST');
  return {
    modelName: subject.name,
    rootDigest: subject.digest.sha256,
    serialization,
    resources: resources.map(({ name, digest }) => ({ name, digest })),
  };
}

/**
 * The statement as bytes, in the order of members and with the line breaks that the reference tool writes.
 * `resources` must be in the order of `compareResourcePaths`.
 */
export async function encodeStatement(model: Omit<ModelStatement, 'rootDigest'>): Promise<Uint8Array> {
  const { serialization, resources } = model;
  const algorithm = resourceAlgorithm(serialization);
  const statement = {
    _type: statementType,
    subject: [{ name: model.modelName, digest: { sha256: await rootDigestOf(resources) } }],
    predicateType,
    predicate: {
      serialization: {
        method: serialization.method,
        hash_type: serialization.hashType,
        allow_symlinks: serialization.allowSymlinks,
        ...(serialization.shardSize === undefined ? {} : { shard_size: serialization.shardSize }),
        ...(serialization.ignorePaths.length === 0 ? {} : { ignore_paths: serialization.ignorePaths }),
      },
      resources: resources.map(({ name, digest }) => ({ algorithm, digest, name })),
    },
  };
  return utf8Encode(JSON.stringify(statement, null, 2));
}

/** Splits "path:start:end". Errors: OMS_RESOURCE_NAME. */
export function parseShardName(name: string): { path: string; start: number; end: number } {
  const match = /^([^:]+):(0|[1-9][0-9]{0,15}):([1-9][0-9]{0,15})$/.exec(name);
  const [, path = '', start = '', end = ''] = match ?? [];
  if (match === null || Number(start) >= Number(end)) throw new FastnessError('OMS_RESOURCE_NAME', 'It is no shard.');
  return { path, start: Number(start), end: Number(end) };
}

/** Refuses the pre-1.0 statement before anything else is read of it. */
export function readStatementType(payload: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8Decode(payload);
  } catch (cause) {
    throw new FastnessError('OMS_PAYLOAD_TYPE', 'It is not text.', { cause });
  }
  const value = parseJsonText(text, {
    schema: envelopeSchema,
    maxLength: maxStatementLength,
    code: 'OMS_PAYLOAD_TYPE',
    what: 'The payload',
  });
  if (value.predicateType === predicateTypePre10) throw new FastnessError('OMS_PRE_1_0');
  if (value._type !== statementType || value.predicateType !== predicateType) {
    throw new FastnessError('OMS_PAYLOAD_TYPE', 'It is an in-toto statement about something else.');
  }
  return value;
}

type SerializationJson = z.infer<typeof statementSchema>['predicate']['serialization'];

function readSerialization(json: SerializationJson): Serialization {
  const { method, hash_type: hashType, shard_size: shardSize } = json;
  if ((method !== 'files' && method !== 'shards') || hashType !== 'sha256') {
    throw new FastnessError('OMS_SERIALIZATION_UNSUPPORTED');
  }
  if ((method === 'shards') !== (shardSize !== undefined)) {
    throw new FastnessError('OMS_STATEMENT', 'A shard size belongs to the method "shards", and only to it.');
  }
  const ignorePaths = json.ignore_paths ?? [];
  for (const path of ignorePaths) {
    if (path === '.') throw new FastnessError('OMS_RESOURCE_NAME', 'Ignoring "." would ignore the model.');
    checkResourceName(path);
  }
  const common = { method, hashType, allowSymlinks: json.allow_symlinks, ignorePaths } as const;
  return shardSize === undefined ? common : { ...common, shardSize };
}

function resourceAlgorithm({ shardSize }: Serialization): string {
  return shardSize === undefined ? 'sha256' : `sha256-sharded-${shardSize}`;
}

async function rootDigestOf(resources: readonly Resource[]): Promise<string> {
  return toHex(await sha256(concatBytes(...resources.map(({ digest }) => fromHex(digest)))));
}
