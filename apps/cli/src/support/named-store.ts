import { FastnessError } from '@fastness/codec/errors';
import { openKeyStore, type ManagedKeyStore } from '@fastness/keys';
import type { Home } from './home.ts';
import { openApproverStore, openStore } from './stores.ts';

/** The store that `--store` names. Throws CLI_USAGE, CLI_APPROVER_UNKNOWN, KEYS_.... */
export async function openNamedStore(home: Home, name: string): Promise<ManagedKeyStore> {
  if (/^[a-z0-9-]+:/.test(name) && !name.startsWith('approver:')) return openKeyStore(name);
  if (name === 'kek' || name === 'owner' || name === 'broker') return openStore(home, name);
  const approver = /^approver:(.+)$/.exec(name)?.[1];
  if (approver !== undefined) return openApproverStore(home, approver);
  throw new FastnessError(
    'CLI_USAGE',
    '--store is kek, owner, broker, approver:NAME or a URI (pkcs11:, aws-kms:, azure-key-vault:, google-kms:).',
  );
}
