import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createSoftwareKeyStore, kdfBounds, type KdfCost, type KeyStore } from '@fastness/keys';

/** A folder of its own for one test, with a key store that holds the wrapping key "kek". */
export interface Workspace extends AsyncDisposable {
  readonly dir: string;
  readonly keyStore: KeyStore;
  /** Opens the key store at `keyStorePath` again, in another process. */
  readonly passphrase: Uint8Array;
  readonly keyStorePath: string;
}

export async function newWorkspace(): Promise<Workspace> {
  const dir = mkdtempSync(join(tmpdir(), 'fastness-model-'));
  const keyStorePath = join(dir, 'keys.store');
  const passphrase = new Uint8Array(randomBytes(16));
  const keyStore = await createSoftwareKeyStore({ path: keyStorePath, passphrase, cost: lowestCost });
  await keyStore.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
  return {
    dir,
    keyStore,
    passphrase,
    keyStorePath,
    async [Symbol.asyncDispose]() {
      await keyStore[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** The cheapest that is accepted: what is tested here is not the passphrase. */
const lowestCost: KdfCost = {
  memory: kdfBounds.memory.min,
  passes: kdfBounds.passes.min,
  parallelism: kdfBounds.parallelism.min,
};

/** Files by path. */
export type Tree = Readonly<Record<string, Uint8Array>>;

export function writeTree(root: string, tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

/** Every file below `root`, relative, sorted. */
export function listTree(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => statSync(join(root, path)).isFile())
    .sort();
}

/** A folder as one comparable value. */
export function snapshot(root: string): Record<string, string> {
  return Object.fromEntries(listTree(root).map((path) => [path, readFileSync(join(root, path)).toString('base64')]));
}

export function bytes(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}
