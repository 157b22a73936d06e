import { randomBytes, type KeyObject } from 'node:crypto';
import type { TokenCredential } from '@azure/core-auth';
import { KeyClient, type KeyClientOptions } from '@azure/keyvault-keys';
import { FastnessError } from '@fastness/codec/errors';
import { azureFault } from './azure-errors.ts';
import { parseVaultUrl } from './azure-names.ts';
import { answerPolicy } from './azure-policy.ts';
import { openReleasedKey, type ReleaseAlgorithm, type ReleasedKey } from './released-key.ts';

export interface ReleaseAzureKeyOptions {
  readonly vaultUrl: string;
  readonly credential: TokenCredential;
  /** The key's name in the vault; it was made exportable, with a release policy. */
  readonly name: string;
  /** 32 hexadecimal digits. Absent: the newest version. */
  readonly version?: string;
  /** The token of Azure Attestation, with the public half of `privateKey` among its runtime claims. */
  readonly attestationToken: string;
  readonly privateKey: KeyObject;
  /** Certificates of the authorities that may vouch for the vault's host name, DER. */
  readonly anchors: readonly Uint8Array[];
  readonly now: Date;
  /** Default: RSA_AES_KEY_WRAP_256. The older one with SHA-1 is not asked for. */
  readonly algorithm?: ReleaseAlgorithm;
  readonly signal?: AbortSignal;
  readonly clientOptions?: Omit<KeyClientOptions, 'disableChallengeResourceVerification'>;
}

/**
 * Has an Azure Key Vault or Managed HSM release a key to an attested enclave, with a new nonce, and opens the answer.
 * The caller wipes the key.
 * Errors: KEYS_URI, KEYS_CLOUD_* (KEYS_CLOUD_ATTESTATION where the policy is not met), KEYS_RELEASE_*.
 */
export async function releaseAzureKey(options: ReleaseAzureKeyOptions): Promise<ReleasedKey> {
  const { name, version, privateKey, anchors, now, algorithm = 'RSA_AES_KEY_WRAP_256' } = options;
  const { url: vaultUrl } = parseVaultUrl(options.vaultUrl);
  if (!/^[0-9a-zA-Z-]{1,127}$/.test(name)) throw new FastnessError('KEYS_ID_INVALID');
  const client = new KeyClient(vaultUrl, options.credential, {
    ...options.clientOptions,
    additionalPolicies: [answerPolicy, ...(options.clientOptions?.additionalPolicies ?? [])],
  });
  const nonce = randomBytes(24).toString('base64url');
  let token: string;
  try {
    const answer = await client.releaseKey(name, options.attestationToken, {
      nonce,
      algorithm,
      ...(version === undefined ? {} : { version }),
      ...(options.signal === undefined ? {} : { abortSignal: options.signal }),
    });
    token = answer.value;
  } catch (error) {
    if (options.signal?.aborted === true) throw new FastnessError('KEYS_CLOUD_ABORTED');
    throw error instanceof FastnessError ? error : azureFault(error, 'release');
  }
  const expected = { vaultUrl, name, nonce, algorithm, privateKey, anchors, now };
  return openReleasedKey({ token, ...expected, ...(version === undefined ? {} : { version }) });
}
