import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { importVerifyKey, keyIdOf, signatureFits } from '../release/verify-key.ts';
import { writeTextFile } from '../signing/write-file.ts';
import { accessAlgorithms, accessFile, accessToSign, encodeAccess, type Access } from './access-document.ts';

/**
 * Signs who may use a model and puts access.json beside it, in place of the one before.
 * Errors: ACCESS_MALFORMED, ACCESS_SIGNATURE, OMS_KEY_UNSUPPORTED, OMS_IO and those of the key store.
 */
export async function signAccess(options: {
  /** The sealed model. */
  readonly dir: string;
  readonly access: Access;
  readonly keyStore: KeyStore;
  readonly keyId: string;
}): Promise<{ readonly path: string }> {
  const { dir, access, keyStore, keyId } = options;
  const { payload, signed } = accessToSign(access);
  const publicKey = await keyStore.publicKey(keyId);
  const signature = await keyStore.sign(keyId, signed);
  const key = await importVerifyKey(publicKey, accessAlgorithms);
  if (!(await signatureFits(key, signature, signed))) throw new FastnessError('ACCESS_SIGNATURE', 'Just made.');
  const path = join(dir, accessFile);
  await writeTextFile(path, encodeAccess(payload, signature, await keyIdOf(publicKey)));
  return { path };
}
