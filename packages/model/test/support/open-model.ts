import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyStore } from '@fastness/keys';
import {
  deriveFileKey,
  fileAad,
  openSealedFile,
  readSealedModel,
  rootKeyContext,
  type OpenSealedFileOptions,
} from '../../src/index.ts';

/** Opens every file of a sealed model the way an enclave does, and returns the plaintexts. */
export async function openModel(dir: string, keyStore: KeyStore): Promise<Record<string, Uint8Array>> {
  const model = await readSealedModel(dir);
  const root = await keyStore.unwrap(model.wrappedRoot, rootKeyContext(model.manifest));
  const opened: Record<string, Uint8Array> = {};
  for (const { path, size } of model.manifest.files) {
    opened[path] = await openFile({
      sealedPath: model.file(path).absolutePath,
      key: deriveFileKey(root, model.manifest, path),
      aad: fileAad(model.manifest, { path, size }),
      expectedSize: size,
    });
  }
  root.fill(0);
  return opened;
}

/** The plaintext of one sealed file. */
export async function openFile(options: Omit<OpenSealedFileOptions, 'fd'>): Promise<Uint8Array> {
  const dir = mkdtempSync(join(tmpdir(), 'fastness-open-'));
  const path = join(dir, 'plaintext');
  const fd = openSync(path, 'w+');
  try {
    await openSealedFile({ ...options, fd });
    return new Uint8Array(readFileSync(path));
  } finally {
    closeSync(fd);
    rmSync(dir, { recursive: true });
  }
}
