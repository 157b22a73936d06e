import { FastnessError } from '@fastness/codec/errors';
import type { AwsKmsOptions } from './cloud/aws-kms.ts';
import type { AzureKeyVaultOptions } from './cloud/azure-key-vault.ts';
import type { GoogleKmsOptions } from './cloud/google-kms.ts';
import type { CloudStoreOptions } from './cloud/store.ts';
import { parseVaultUrl } from './cloud/azure-names.ts';
import { EntraCredential } from './cloud/entra-credential.ts';
import { entraParameters, parseEntraIdentity } from './cloud/entra-identity.ts';
import type { ManagedKeyStore } from './key-store.ts';
import { openPkcs11KeyStore } from './pkcs11/store.ts';

/** What a URI cannot say, by the kind of store that needs it. */
export interface OpenKeyStoreOptions {
  readonly aws?: Omit<AwsKmsOptions, 'region' | 'prefix' | keyof CloudStoreOptions>;
  /** Without `credential` the URI says who this process is. `fetch` asks for the tokens then. */
  readonly azure?: Partial<
    Omit<AzureKeyVaultOptions, 'vaultUrl' | 'prefix' | 'requireHardware' | keyof CloudStoreOptions>
  > & { readonly fetch?: typeof globalThis.fetch };
  readonly google?: Omit<GoogleKmsOptions, 'keyRing' | 'requireHardware' | keyof CloudStoreOptions>;
  readonly cloud?: CloudStoreOptions;
}

/** The schemes that `openKeyStore` knows. The software store has none: its passphrase is no part of an address. */
export const keyStoreSchemes = Object.freeze(['pkcs11', 'aws-kms', 'azure-key-vault', 'google-kms'] as const);

/**
 * Opens the key store that a URI names; no part of it is a secret:
 *
 * - `pkcs11:token=...?module-path=...` (RFC 7512, see `parsePkcs11Uri`)
 * - `aws-kms:REGION`, with `?prefix=NAME`
 * - `azure-key-vault:https://NAME.vault.azure.net`, with `?prefix=NAME`, `&hardware=optional` and, unless a credential is
 *   given, `&credential=KIND` (see `parseEntraIdentity`)
 * - `google-kms:projects/P/locations/L/keyRings/R`, with `?hardware=optional`
 *
 * The SDK of a cloud is loaded when its store is opened. Without `hardware=optional` keys must be in hardware.
 * Errors: KEYS_URI, and those of the store.
 */
export async function openKeyStore(uri: string, options: OpenKeyStoreOptions = {}): Promise<ManagedKeyStore> {
  if (uri.length > 4096) throw new FastnessError('KEYS_URI', 'It is too long.');
  const [scheme = ''] = uri.split(':', 1);
  switch (scheme) {
    case 'pkcs11':
      return openPkcs11KeyStore({ uri });
    case 'aws-kms': {
      const { address: region, parameters } = split(uri, ['prefix']);
      const { openAwsKmsKeyStore } = await import('./cloud/aws-kms.ts');
      return openAwsKmsKeyStore({ ...options.cloud, ...options.aws, region, ...prefixOf(parameters) });
    }
    case 'azure-key-vault': {
      const { address: vaultUrl, parameters } = split(uri, ['prefix', 'hardware', ...entraParameters]);
      const { audience, authority } = parseVaultUrl(vaultUrl);
      const { credential, fetch, ...azure } = options.azure ?? {};
      if (credential !== undefined && entraParameters.some((name) => parameters.has(name))) {
        throw new FastnessError('KEYS_URI', 'A credential was given: the URI cannot name another.');
      }
      const { openAzureKeyVaultKeyStore } = await import('./cloud/azure-key-vault.ts');
      return openAzureKeyVaultKeyStore({
        ...options.cloud,
        ...azure,
        credential:
          credential ??
          new EntraCredential({
            identity: parseEntraIdentity(parameters, process.env),
            audience,
            authority,
            ...(fetch === undefined ? {} : { fetch }),
          }),
        vaultUrl,
        ...hardwareOf(parameters),
        ...prefixOf(parameters),
      });
    }
    case 'google-kms': {
      const { address: keyRing, parameters } = split(uri, ['hardware']);
      const { openGoogleKmsKeyStore } = await import('./cloud/google-kms.ts');
      return openGoogleKmsKeyStore({ ...options.cloud, ...options.google, keyRing, ...hardwareOf(parameters) });
    }
    default:
      throw new FastnessError('KEYS_URI', `Its scheme is none of ${keyStoreSchemes.join(', ')}.`);
  }
}

function split(uri: string, known: readonly string[]): { address: string; parameters: ReadonlyMap<string, string> } {
  const [address = '', query, ...rest] = uri.slice(uri.indexOf(':') + 1).split('?');
  if (rest.length > 0) throw new FastnessError('KEYS_URI', 'It has more than one query.');
  const parameters = new Map<string, string>();
  for (const part of query === undefined ? [] : query.split('&')) {
    const [name = '', value] = part.split('=', 2);
    if (value === undefined || !known.includes(name) || parameters.has(name)) {
      throw new FastnessError('KEYS_URI', `It may have ${known.join(', ')}, each once.`);
    }
    parameters.set(name, value);
  }
  return { address, parameters };
}

function prefixOf(parameters: ReadonlyMap<string, string>): { prefix?: string } {
  const prefix = parameters.get('prefix');
  return prefix === undefined ? {} : { prefix };
}

function hardwareOf(parameters: ReadonlyMap<string, string>): { requireHardware: boolean } {
  const value = parameters.get('hardware') ?? 'required';
  if (value !== 'required' && value !== 'optional') {
    throw new FastnessError('KEYS_URI', 'hardware is required or optional.');
  }
  return { requireHardware: value === 'required' };
}
