import { resolve } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import {
  openKeyStore as openStoreAt,
  openPkcs11KeyStore,
  openSoftwareKeyStore,
  readPassphraseFile,
  type KeyStore,
} from '@fastness/keys';
import { z } from 'zod';
import type { BrokerPolicy } from './policy.ts';

const path = z.string().min(1).max(4096);

/** A key store of the broker's configuration. None of its members is a secret. */
export const keyStoreSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('software'),
    path: path.describe('A path; a relative one is relative to the folder of the configuration file.'),
    passphrasePath: path.describe(
      'A file with the passphrase, readable by this user only: never an argument, never an environment variable.',
    ),
  }),
  z.strictObject({
    kind: z.literal('pkcs11'),
    uri: z.string().startsWith('pkcs11:').max(4096).describe('RFC 7512, as docs/keys.md says; the PIN lies in a file.'),
  }),
  z.strictObject({
    kind: z.literal('cloud'),
    uri: z
      .string()
      .regex(/^(?:aws-kms|azure-key-vault|google-kms):/)
      .max(4096)
      .describe('As docs/keys-cloud.md says; credentials come from the machine or from files, never from the URI.'),
  }),
]);

export type KeyStoreConfig = z.infer<typeof keyStoreSchema>;

/** The same store with its paths relative to `folder`. */
export function keyStoreIn(folder: string, config: KeyStoreConfig): KeyStoreConfig {
  if (config.kind !== 'software') return config;
  const { kind, path: file, passphrasePath } = config;
  return { kind, path: resolve(folder, file), passphrasePath: resolve(folder, passphrasePath) };
}

/** The caller closes it. Throws as the stores do. */
export async function openKeyStore(config: KeyStoreConfig): Promise<KeyStore> {
  if (config.kind === 'pkcs11') return openPkcs11KeyStore({ uri: config.uri });
  if (config.kind === 'cloud') return openStoreAt(config.uri);
  const passphrase = await readPassphraseFile(config.passphrasePath);
  try {
    return await openSoftwareKeyStore({ path: config.path, passphrase });
  } finally {
    passphrase.fill(0);
  }
}

/**
 * Refuses stores without hardware where the policy asks for it. What a store says of itself is its module's word.
 * Throws `KEYS_HARDWARE_REQUIRED`.
 */
export function requireHardware(
  { requireHardware: required }: BrokerPolicy,
  stores: { readonly wrapping: KeyStore; readonly signing: KeyStore },
): void {
  if (required === undefined) return;
  const asked = required === 'all' ? [stores.wrapping, stores.signing] : [stores.wrapping];
  for (const store of asked) {
    if (!store.hardware) throw new FastnessError('KEYS_HARDWARE_REQUIRED', `${store.description}.`);
  }
}
