import { createHash, type KeyObject } from 'node:crypto';
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GetPublicKeyCommand,
  KMSClient,
  ListAliasesCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type KMSClientConfig,
  type KeyMetadata,
  type KeySpec as AwsKeySpec,
} from '@aws-sdk/client-kms';
import { toHex } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyAlgorithm, KeyPurpose, KeySpec, ManagedKeyStore } from '../key-store.ts';
import { awsFault } from './aws-errors.ts';
import type { CloudBackend, CloudKey, CloudOperation, CloudVersion } from './backend.ts';
import { groupVersions, type FoundVersion } from './group-versions.ts';
import { checkPrefix, defaultPrefix } from './name-prefix.ts';
import { openRecipientCiphertext } from './recipient.ts';
import { CloudKeyStore, type CloudStoreOptions } from './store.ts';

/** Unwraps as an attested enclave: the service encrypts what it decrypts to the key in the attestation document. */
export interface AwsRecipient {
  /**
   * A new attestation document of Nitro Enclaves or NitroTPM whose `public_key` is the public half of `privateKey`
   * (RSA, 2048 bits or more). Asked for each unwrapping, because the service takes only fresh ones.
   */
  attestationDocument(): Promise<Uint8Array>;
  /** Made in the enclave, and never leaves it. */
  readonly privateKey: KeyObject;
}

export interface AwsKmsOptions extends CloudStoreOptions {
  /** For instance eu-central-1. */
  readonly region: string;
  /** What the aliases begin with. Default: fastness. */
  readonly prefix?: string;
  /** Absent: what the SDK finds in the environment (roles, web identity, profiles). */
  readonly credentials?: NonNullable<KMSClientConfig['credentials']>;
  /** Another address than the region's own: a VPC endpoint, a FIPS endpoint. */
  readonly endpoint?: string;
  /** Times one request is tried; only failures that may pass are tried again. Default: 3. */
  readonly attempts?: number;
  /** How long a destroyed key can still be saved with AWS's own tools, days, 7 to 30. Default: 30. */
  readonly deletionDays?: number;
  readonly recipient?: AwsRecipient;
}

interface Kind {
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  readonly spec: AwsKeySpec;
}

const kinds: readonly Kind[] = Object.freeze([
  { purpose: 'wrap', algorithm: 'AES-256-GCM', spec: 'SYMMETRIC_DEFAULT' },
  { purpose: 'sign', algorithm: 'P-256', spec: 'ECC_NIST_P256' },
  { purpose: 'sign', algorithm: 'P-384', spec: 'ECC_NIST_P384' },
  { purpose: 'sign', algorithm: 'Ed25519', spec: 'ECC_NIST_EDWARDS25519' },
]);

/**
 * Keys in AWS KMS. Each version of a key is a KMS key of its own with the alias `alias/PREFIX/ID/VERSION` (a dot in an
 * id becomes D, which ids do not have): KMS can rotate a key by itself, but can neither name nor destroy one of the
 * versions that arise from that. Only keys that KMS made are used, none that was imported or sits elsewhere.
 *
 * It does not protect against AWS itself, nor against whoever may change the key's policy or move its aliases; an alias
 * that was moved shows as KEYS_UNWRAP, because a ciphertext belongs to one KMS key.
 * Errors: KEYS_URI.
 */
export function openAwsKmsKeyStore(options: AwsKmsOptions): ManagedKeyStore {
  return new CloudKeyStore(new AwsKms(options), options);
}

class AwsKms implements CloudBackend {
  readonly kind = 'aws-kms';
  readonly hardware = true;
  readonly description: string;
  readonly wrapAlgorithm = 'AWS-KMS+A256GCM';
  readonly signing = ['P-256', 'P-384', 'Ed25519'] as const;
  readonly checksums = false;
  readonly #client: KMSClient;
  readonly #prefix: string;
  readonly #days: number;
  readonly #recipient: AwsRecipient | undefined;

  constructor(options: AwsKmsOptions) {
    const { region, credentials, endpoint, attempts = 3, deletionDays = 30 } = options;
    if (!/^[a-z]{2}(?:-[a-z]+)+-\d$/.test(region))
      throw new FastnessError('KEYS_URI', 'A region is like eu-central-1.');
    if (!Number.isInteger(deletionDays) || deletionDays < 7 || deletionDays > 30) {
      throw new FastnessError('KEYS_URI', 'KMS deletes keys after 7 to 30 days.');
    }
    this.#prefix = `alias/${checkPrefix(options.prefix ?? defaultPrefix)}/`;
    this.#days = deletionDays;
    this.#recipient = options.recipient;
    this.description = `AWS KMS in ${region}: hardware of the provider keeps these keys`;
    this.#client = new KMSClient({
      region,
      maxAttempts: attempts,
      ...(credentials === undefined ? {} : { credentials }),
      ...(endpoint === undefined ? {} : { endpoint }),
    });
  }

  async load(signal: AbortSignal): Promise<CloudKey[]> {
    const aliases: { id: string; version: number; keyId: string }[] = [];
    let marker: string | undefined;
    do {
      const page = await this.#client.send(
        new ListAliasesCommand({ Limit: 100, ...(marker === undefined ? {} : { Marker: marker }) }),
        { abortSignal: signal },
      );
      for (const { AliasName: name = '', TargetKeyId: keyId } of page.Aliases ?? []) {
        const match = name.startsWith(this.#prefix) ? aliasPattern.exec(name.slice(this.#prefix.length)) : null;
        if (match?.[1] === undefined || keyId === undefined) continue;
        aliases.push({ id: match[1].replaceAll('D', '.'), version: Number(match[2]), keyId });
      }
      marker = page.Truncated === true ? page.NextMarker : undefined;
    } while (marker !== undefined);
    const found: FoundVersion[] = [];
    for (let start = 0; start < aliases.length; start += 8) {
      const described = aliases.slice(start, start + 8).map(async ({ id, version, keyId }) => {
        const { KeyMetadata: metadata } = await this.#client.send(new DescribeKeyCommand({ KeyId: keyId }), {
          abortSignal: signal,
        });
        return versionOf(id, version, keyId, metadata);
      });
      for (const one of await Promise.all(described)) if (one !== undefined) found.push(one);
    }
    return groupVersions(found);
  }

  async create(spec: KeySpec, version: number, signal: AbortSignal): Promise<void> {
    const kind = kinds.find(({ algorithm }) => algorithm === spec.algorithm);
    if (kind === undefined) throw new FastnessError('KEYS_CLOUD_UNSUPPORTED');
    const { KeyMetadata: metadata } = await this.#client.send(
      new CreateKeyCommand({
        KeySpec: kind.spec,
        KeyUsage: spec.purpose === 'wrap' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY',
        Origin: 'AWS_KMS',
        Description: `Fastness: ${spec.id}, version ${version}`,
      }),
      { abortSignal: signal },
    );
    const keyId = metadata?.KeyId;
    if (keyId === undefined) throw new FastnessError('KEYS_CLOUD_PROTOCOL');
    const alias = `${this.#prefix}${spec.id.replaceAll('.', 'D')}/${version}`;
    try {
      await this.#client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: keyId }), {
        abortSignal: signal,
      });
    } catch (error) {
      // Another process was first, or the right is missing: a key without an alias is of no use to anybody.
      const remove = new ScheduleKeyDeletionCommand({ KeyId: keyId, PendingWindowInDays: 7 });
      await this.#client.send(remove).catch(() => undefined);
      throw error;
    }
  }

  async wrapSecret({ ref }: CloudVersion, secret: Uint8Array, binding: Uint8Array, signal: AbortSignal) {
    const { CiphertextBlob: blob, KeyId: keyId } = await this.#client.send(
      new EncryptCommand({
        KeyId: ref,
        Plaintext: secret,
        EncryptionContext: contextOf(binding),
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
      }),
      { abortSignal: signal },
    );
    requireKey(ref, keyId);
    return required(blob);
  }

  async unwrapSecret({ ref }: CloudVersion, blob: Uint8Array, binding: Uint8Array, signal: AbortSignal) {
    const recipient = this.#recipient;
    const answer = await this.#client.send(
      new DecryptCommand({
        KeyId: ref,
        CiphertextBlob: blob,
        EncryptionContext: contextOf(binding),
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
        ...(recipient === undefined
          ? {}
          : {
              Recipient: {
                KeyEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as const,
                AttestationDocument: await recipient.attestationDocument(),
              },
            }),
      }),
      { abortSignal: signal },
    );
    requireKey(ref, answer.KeyId);
    if (recipient === undefined) return required(answer.Plaintext);
    if (answer.Plaintext !== undefined && answer.Plaintext.length > 0) {
      answer.Plaintext.fill(0);
      throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'It answered in the clear although a recipient was named.');
    }
    return openRecipientCiphertext(required(answer.CiphertextForRecipient), recipient.privateKey);
  }

  async publicKey({ ref }: CloudVersion, signal: AbortSignal): Promise<Uint8Array> {
    const answer = await this.#client.send(new GetPublicKeyCommand({ KeyId: ref }), { abortSignal: signal });
    requireKey(ref, answer.KeyId);
    return required(answer.PublicKey);
  }

  async sign({ ref }: CloudVersion, algorithm: KeyAlgorithm, message: Uint8Array, signal: AbortSignal) {
    const answer = await this.#client.send(new SignCommand({ KeyId: ref, ...signingInput(algorithm, message) }), {
      abortSignal: signal,
    });
    requireKey(ref, answer.KeyId);
    return required(answer.Signature);
  }

  async setEnabled({ ref }: CloudVersion, enabled: boolean, signal: AbortSignal): Promise<void> {
    const input = { KeyId: ref };
    if (enabled) await this.#client.send(new EnableKeyCommand(input), { abortSignal: signal });
    else await this.#client.send(new DisableKeyCommand(input), { abortSignal: signal });
  }

  async destroy({ ref }: CloudVersion, signal: AbortSignal): Promise<void> {
    const input = { KeyId: ref, PendingWindowInDays: this.#days };
    await this.#client.send(new ScheduleKeyDeletionCommand(input), { abortSignal: signal });
  }

  fault(error: unknown, operation: CloudOperation): FastnessError {
    const attested = this.#recipient !== undefined && operation === 'unwrap';
    return awsFault(error, attested ? 'release' : operation);
  }

  close(): void {
    this.#client.destroy();
  }
}

const aliasPattern = /^([a-z0-9][a-z0-9D_-]{0,63})\/([1-9]\d{0,8})$/;

function versionOf(
  id: string,
  version: number,
  keyId: string,
  metadata: KeyMetadata | undefined,
): FoundVersion | undefined {
  const kind = kinds.find(({ spec }) => spec === metadata?.KeySpec);
  if (metadata?.KeyId !== keyId || metadata.Arn === undefined) throw new FastnessError('KEYS_CLOUD_WRONG_KEY', id);
  if (kind === undefined) return undefined;
  const { Arn: ref, CreationDate: createdAt = new Date(0), Origin: origin, KeyUsage: usage } = metadata;
  // Imported material existed outside, and an external store is somebody else's hardware or none.
  const ours =
    (origin === 'AWS_KMS' || origin === 'AWS_CLOUDHSM') &&
    usage === (kind.purpose === 'wrap' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY');
  const state = ours ? stateOf(metadata.KeyState) : 'unusable';
  return { id, version, ref, purpose: kind.purpose, algorithm: kind.algorithm, state, createdAt };
}

function stateOf(state: string | undefined): CloudVersion['state'] {
  if (state === 'Enabled') return 'enabled';
  if (state === 'Disabled') return 'disabled';
  return state === 'PendingDeletion' ? 'pending-deletion' : 'unusable';
}

function signingInput(algorithm: KeyAlgorithm, message: Uint8Array) {
  switch (algorithm) {
    case 'P-256':
      return { ...digest('sha256', message), SigningAlgorithm: 'ECDSA_SHA_256' } as const;
    case 'P-384':
      return { ...digest('sha384', message), SigningAlgorithm: 'ECDSA_SHA_384' } as const;
    case 'Ed25519':
      return { Message: message, MessageType: 'RAW', SigningAlgorithm: 'ED25519_SHA_512' } as const;
    case 'AES-256-GCM':
    default:
      throw new FastnessError('KEYS_PURPOSE');
  }
}

function digest(hash: string, message: Uint8Array) {
  return { Message: createHash(hash).update(message).digest(), MessageType: 'DIGEST' } as const;
}

/** The context ends up in CloudTrail: a digest of ours, in hexadecimal. */
function contextOf(binding: Uint8Array): Record<string, string> {
  return { 'fastness:binding': toHex(binding) };
}

function requireKey(ref: string, echoed: string | undefined): void {
  if (echoed !== ref) throw new FastnessError('KEYS_CLOUD_WRONG_KEY');
}

function required(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined || bytes.length === 0) throw new FastnessError('KEYS_CLOUD_PROTOCOL', 'A field is missing.');
  return new Uint8Array(bytes);
}
