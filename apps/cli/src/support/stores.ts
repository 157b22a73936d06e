import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { toHex, utf8Encode } from '@fastness/codec';
import { createSoftwareKeyStore, openSoftwareKeyStore, readPassphraseFile, type KeyStore } from '@fastness/keys';
import { makePrivateDirectory, writeFileAtomic, type Home } from './home.ts';

/** The keys of one home. Each store is a file of its own: in real life they belong to different people and machines. */
export const keyIds = Object.freeze({ kek: 'model-kek', owner: 'owner', broker: 'broker', approver: 'approver' });

export type StoreName = 'kek' | 'owner' | 'broker';

function storeFiles(home: Home, name: StoreName): { path: string; passphraseFile: string } {
  return { path: join(home.keyDirectory, `${name}.keystore`), passphraseFile: join(home.keyDirectory, `${name}.pass`) };
}

function approverFiles(home: Home, approver: string): { path: string; passphraseFile: string } {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(approver)) {
    throw new FastnessError(
      'CLI_APPROVER_UNKNOWN',
      `${JSON.stringify(approver)}: letters, digits and hyphens, at most 32.`,
    );
  }
  const base = join(home.approverDirectory, approver);
  return { path: `${base}.keystore`, passphraseFile: `${base}.pass` };
}

async function create(files: { path: string; passphraseFile: string }): Promise<KeyStore> {
  const passphrase = utf8Encode(toHex(randomBytes(32)));
  try {
    await writeFileAtomic(files.passphraseFile, passphrase);
    return await createSoftwareKeyStore({ path: files.path, passphrase });
  } finally {
    passphrase.fill(0);
  }
}

async function open(files: { path: string; passphraseFile: string }): Promise<KeyStore> {
  const passphrase = await readPassphraseFile(files.passphraseFile);
  try {
    return await openSoftwareKeyStore({ path: files.path, passphrase });
  } finally {
    passphrase.fill(0);
  }
}

export async function createStore(home: Home, name: StoreName): Promise<KeyStore> {
  await makePrivateDirectory(home.keyDirectory);
  return create(storeFiles(home, name));
}

export async function openStore(home: Home, name: StoreName): Promise<KeyStore> {
  return open(storeFiles(home, name));
}

export async function createApproverStore(home: Home, approver: string): Promise<KeyStore> {
  await makePrivateDirectory(home.approverDirectory);
  return create(approverFiles(home, approver));
}

export async function openApproverStore(home: Home, approver: string): Promise<KeyStore> {
  const files = approverFiles(home, approver);
  if (!existsSync(files.path)) throw new FastnessError('CLI_APPROVER_UNKNOWN', approver);
  return open(files);
}
