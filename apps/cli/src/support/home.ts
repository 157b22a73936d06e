import { existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';

/** Where everything of one Fastness home lies. */
export interface Home {
  readonly path: string;
  readonly configFile: string;
  readonly keyDirectory: string;
  readonly approverDirectory: string;
  readonly policyDirectory: string;
  readonly brokerPolicyFile: string;
  readonly clientPolicyFile: string;
  readonly modelDirectory: string;
  readonly brokerDirectory: string;
  readonly adminTokenFile: string;
  readonly simulatedTeeDirectory: string;
  readonly receiptDirectory: string;
  readonly logDirectory: string;
  readonly runDirectory: string;
}

/** Where a key lies that is not in a file of the home: a token (RFC 7512) or a key service. No URI holds a secret. */
const storeUri = z
  .string()
  .regex(/^(?:pkcs11|aws-kms|azure-key-vault|google-kms):/)
  .max(4096);

const file = z.string().min(1).max(4096);

const homeConfigSchema = z.strictObject({
  format: z.literal('fastness/home/v1'),
  tee: z.enum(['simulated', 'auto']),
  brokerUrl: z.url(),
  /** PostgreSQL URL of the broker's state, without a password. Absent: a SQLite file in the home. */
  brokerDatabase: z.string().max(2048).exactOptional(),
  enclaveUrl: z.url(),
  relayUrl: z.url(),
  proxyUrl: z.url(),
  defaultModel: z.string().nullable(),
  /** Stores elsewhere. Absent members: the software store of that name in the home. */
  keyStores: z
    .strictObject({
      kek: storeUri.exactOptional(),
      owner: storeUri.exactOptional(),
      broker: storeUri.exactOptional(),
      approvers: z.record(z.string(), storeUri).exactOptional(),
    })
    .exactOptional(),
  /** What the commands of administrators present to the broker. Absent: the token that `init` made. Paths are relative to the home. */
  admin: z
    .union([
      z.strictObject({ certificatePath: file, privateKeyPath: file, authorityPath: file.exactOptional() }),
      z.strictObject({ tokenPath: file, authorityPath: file.exactOptional() }),
      z.strictObject({ authorityPath: file }),
    ])
    .exactOptional(),
  /** Keys that hardware must keep: those that wrap models' keys, or all. Absent: a software store is used where nothing else is named. */
  requireHardware: z.enum(['wrapping', 'all']).exactOptional(),
});
export type HomeConfig = z.infer<typeof homeConfigSchema>;

export const defaultHomeConfig: HomeConfig = Object.freeze({
  format: 'fastness/home/v1',
  tee: 'simulated',
  brokerUrl: 'http://127.0.0.1:7801',
  enclaveUrl: 'http://127.0.0.1:7802',
  relayUrl: 'http://127.0.0.1:7803',
  proxyUrl: 'http://127.0.0.1:7804',
  defaultModel: null,
});

export function homeAt(path: string): Home {
  const root = resolve(path);
  const inside = (...parts: string[]): string => join(root, ...parts);
  return {
    path: root,
    configFile: inside('config.json'),
    keyDirectory: inside('keys'),
    approverDirectory: inside('approvers'),
    policyDirectory: inside('policy'),
    brokerPolicyFile: inside('policy', 'broker.json'),
    clientPolicyFile: inside('policy', 'client.json'),
    modelDirectory: inside('models'),
    brokerDirectory: inside('broker'),
    adminTokenFile: inside('broker', 'admin.token'),
    simulatedTeeDirectory: inside('simulated-tee'),
    receiptDirectory: inside('receipts'),
    logDirectory: inside('logs'),
    runDirectory: inside('run'),
  };
}

export function homeExists(home: Home): boolean {
  return existsSync(home.configFile);
}

export async function readHomeConfig(home: Home): Promise<HomeConfig> {
  if (!homeExists(home)) throw new FastnessError('CLI_HOME_MISSING', home.path);
  const parsed = homeConfigSchema.safeParse(await readJson(home.configFile));
  if (!parsed.success)
    throw new FastnessError('CLI_HOME_DAMAGED', `${home.configFile}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Writes a file so that a crash leaves the old content or the new, readable by this user only unless `mode` says otherwise. */
export async function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  const handle = await open(temporary, 'w', mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
}

export async function writeJson(path: string, value: unknown, mode?: number): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`, mode);
}

export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('CLI_HOME_DAMAGED', `${path} is not JSON.`, { cause });
  }
}

export async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new FastnessError('CLI_HOME_UNWRITABLE', path, { cause });
  }
}

/** Identifiers of the sealed models in this home. */
export async function listModels(home: Home): Promise<string[]> {
  if (!existsSync(home.modelDirectory)) return [];
  const entries = await readdir(home.modelDirectory, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && existsSync(join(home.modelDirectory, entry.name, 'manifest.json')))
    .map((entry) => entry.name)
    .sort();
}

/** The sealed directory of `modelId`, or of the home's default model. */
export async function modelDirectory(home: Home, modelId: string | undefined): Promise<string> {
  const id = modelId ?? (await readHomeConfig(home)).defaultModel;
  const models = await listModels(home);
  if (id === null || !models.includes(id)) {
    const known = models.length === 0 ? 'none is sealed yet' : `sealed: ${models.join(', ')}`;
    throw new FastnessError('CLI_MODEL_MISSING', `${id ?? 'No default model'}; ${known}.`);
  }
  return join(home.modelDirectory, id);
}
