import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  sign,
  type KeyObject,
} from 'node:crypto';
import { decodeCbor } from '@fastness/codec/cbor';
import { decodeSign1 } from '@fastness/codec/cose';
import { toHex } from '@fastness/codec/bytes';
import { startFakeService, type FakeService, type SeenRequest } from '../services/fake-service.ts';
import { signDigest } from './sign-digest.ts';
import { forgeEnvelopedData } from './enveloped-data.ts';
import { FaultPlan, jsonAnswer, ServiceError } from './faults.ts';
import { verifySigV4, type AwsIdentity } from './sig-v4.ts';

interface FakeKey {
  readonly id: string;
  readonly arn: string;
  readonly spec: string;
  readonly usage: string;
  origin: string;
  state: string;
  readonly created: number;
  readonly secret: Buffer;
  readonly pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined;
}

export interface FakeAwsKmsOptions {
  /** PCR number to hexadecimal value that an attestation document must have. */
  readonly pcrs?: Readonly<Record<number, string>>;
  /** How `CiphertextForRecipient` is encoded. Default: ber. */
  readonly form?: 'der' | 'ber';
}

/** AWS KMS as far as a key store uses it: JSON 1.1, signed requests, aliases in pages. It forgets all when it ends. */
export interface FakeAwsKms extends AsyncDisposable {
  readonly url: string;
  readonly region: string;
  readonly identity: AwsIdentity;
  readonly service: FakeService;
  readonly faults: FaultPlan;
  /** Names of the operations that were asked, in order. */
  readonly operations: readonly string[];
  readonly keys: ReadonlyMap<string, FakeKey>;
  readonly aliases: Map<string, string>;
}

type Fields = Record<string, unknown>;

/**
 * Starts a fake of AWS KMS. It verifies Signature Version 4 and really encrypts and signs. It reads the attestation
 * document of a recipient and compares PCRs, but does not verify who signed it.
 */
export async function startFakeAwsKms(options: FakeAwsKmsOptions = {}): Promise<FakeAwsKms> {
  const region = 'eu-central-1';
  const identity = { accessKeyId: 'AKIDFORGED0000000001', secretAccessKey: randomBytes(30).toString('base64') };
  const faults = new FaultPlan();
  const operations: string[] = [];
  const keys = new Map<string, FakeKey>();
  const aliases = new Map<string, string>();
  const state: State = { region, keys, aliases, options };
  const service = await startFakeService((request) => {
    try {
      verifySigV4(request, identity, region, 'kms');
      const operation = String(request.headers['x-amz-target'] ?? '').replace(/^TrentService\./, '');
      operations.push(operation);
      const fault = faults.take(operation);
      if (fault?.kind === 'error') throw new ServiceError(fault.name, fault.status, fault.message);
      const handler = Object.hasOwn(handlers, operation) ? handlers[operation] : undefined;
      if (handler === undefined) throw new ServiceError('UnknownOperationException', 400);
      const answer = handler(state, fieldsOf(request));
      return jsonAnswer(200, fault === undefined ? answer : fault.alter(answer), 'application/x-amz-json-1.1');
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const body = { __type: error.name, message: error.message };
      return jsonAnswer(error.status, body, 'application/x-amz-json-1.1', { 'x-amzn-requestid': randomUUID() });
    }
  });
  return {
    url: service.url,
    region,
    identity,
    service,
    faults,
    operations,
    keys,
    aliases,
    [Symbol.asyncDispose]: () => service.close(),
  };
}

interface State {
  readonly region: string;
  readonly keys: Map<string, FakeKey>;
  readonly aliases: Map<string, string>;
  readonly options: FakeAwsKmsOptions;
}

const handlers: Readonly<Record<string, (state: State, fields: Fields) => Fields>> = {
  CreateKey({ region, keys }, fields) {
    const id = randomUUID();
    const spec = text(fields, 'KeySpec');
    const key: FakeKey = {
      id,
      arn: `arn:aws:kms:${region}:111122223333:key/${id}`,
      spec,
      usage: text(fields, 'KeyUsage'),
      origin: 'AWS_KMS',
      state: 'Enabled',
      created: Date.now() / 1000,
      secret: randomBytes(32),
      pair: pairOf(spec),
    };
    keys.set(id, key);
    return { KeyMetadata: metadataOf(key) };
  },
  CreateAlias({ keys, aliases }, fields) {
    const name = text(fields, 'AliasName');
    if (!/^alias\/[a-zA-Z0-9/_-]{1,250}$/.test(name)) throw new ServiceError('InvalidAliasNameException', 400);
    if (aliases.has(name)) throw new ServiceError('AlreadyExistsException', 400);
    aliases.set(name, find(keys, text(fields, 'TargetKeyId')).id);
    return {};
  },
  ListAliases({ region, aliases }, fields) {
    // Pages smaller than what was asked for: the service may do that.
    const start = Number(fields['Marker'] ?? 0);
    const all = [...aliases.entries()].sort(byName);
    const page = all.slice(start, start + 3);
    const more = start + 3 < all.length;
    return {
      Aliases: page.map(([name, id]) => ({
        AliasName: name,
        AliasArn: `arn:aws:kms:${region}:111122223333:${name}`,
        TargetKeyId: id,
      })),
      Truncated: more,
      ...(more ? { NextMarker: String(start + 3) } : {}),
    };
  },
  DescribeKey: ({ keys }, fields) => ({ KeyMetadata: metadataOf(find(keys, text(fields, 'KeyId'))) }),
  Encrypt({ keys }, fields) {
    const key = usable(find(keys, text(fields, 'KeyId')), 'ENCRYPT_DECRYPT');
    const plaintext = bytes(fields, 'Plaintext');
    if (plaintext.length < 1 || plaintext.length > 4096) throw new ServiceError('ValidationException', 400);
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key.secret, iv).setAAD(contextOf(fields));
    const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    const blob = Buffer.concat([Buffer.from(key.id.replaceAll('-', ''), 'hex'), iv, body, cipher.getAuthTag()]);
    return { CiphertextBlob: blob.toString('base64'), KeyId: key.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
  },
  Decrypt({ keys, options }, fields) {
    const key = usable(find(keys, text(fields, 'KeyId')), 'ENCRYPT_DECRYPT');
    const plaintext = decrypt(key, bytes(fields, 'CiphertextBlob'), contextOf(fields));
    const answer = { KeyId: key.arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
    const recipient = fields['Recipient'];
    if (typeof recipient !== 'object' || recipient === null) {
      return { ...answer, Plaintext: plaintext.toString('base64') };
    }
    const publicKey = attestedKey({ ...recipient }, options.pcrs ?? {});
    const message = forgeEnvelopedData({ publicKey, plaintext, form: options.form ?? 'ber' });
    return { ...answer, CiphertextForRecipient: Buffer.from(message).toString('base64') };
  },
  GetPublicKey({ keys }, fields) {
    const key = usable(find(keys, text(fields, 'KeyId')), 'SIGN_VERIFY');
    const spki = key.pair?.publicKey.export({ format: 'der', type: 'spki' });
    return { KeyId: key.arn, PublicKey: spki?.toString('base64'), KeySpec: key.spec, KeyUsage: key.usage };
  },
  Sign({ keys }, fields) {
    const key = usable(find(keys, text(fields, 'KeyId')), 'SIGN_VERIFY');
    const message = bytes(fields, 'Message');
    const algorithm = text(fields, 'SigningAlgorithm');
    const expected = algorithmOf[key.spec];
    if (key.pair === undefined || expected?.name !== algorithm) throw new ServiceError('InvalidKeyUsageException', 400);
    if (text(fields, 'MessageType') !== expected.type) throw new ServiceError('ValidationException', 400);
    const signature =
      expected.type === 'RAW'
        ? sign(null, message, key.pair.privateKey)
        : Buffer.from(signDigest(key.pair.privateKey, message));
    return { KeyId: key.arn, Signature: signature.toString('base64'), SigningAlgorithm: algorithm };
  },
  EnableKey({ keys }, fields) {
    find(keys, text(fields, 'KeyId')).state = 'Enabled';
    return {};
  },
  DisableKey({ keys }, fields) {
    find(keys, text(fields, 'KeyId')).state = 'Disabled';
    return {};
  },
  ScheduleKeyDeletion({ keys }, fields) {
    const key = find(keys, text(fields, 'KeyId'));
    const days = Number(fields['PendingWindowInDays'] ?? 30);
    if (!(days >= 7 && days <= 30)) throw new ServiceError('ValidationException', 400);
    key.state = 'PendingDeletion';
    return { KeyId: key.arn, DeletionDate: Date.now() / 1000 + days * 86_400, KeyState: key.state };
  },
};

const algorithmOf: Readonly<Record<string, { name: string; type: 'DIGEST' | 'RAW'; bytes?: number }>> = {
  ECC_NIST_P256: { name: 'ECDSA_SHA_256', type: 'DIGEST' },
  ECC_NIST_P384: { name: 'ECDSA_SHA_384', type: 'DIGEST' },
  ECC_NIST_EDWARDS25519: { name: 'ED25519_SHA_512', type: 'RAW' },
};

function decrypt(key: FakeKey, blob: Buffer, aad: Buffer): Buffer {
  if (blob.length < 45) throw new ServiceError('InvalidCiphertextException', 400);
  if (blob.subarray(0, 16).toString('hex') !== key.id.replaceAll('-', '')) {
    throw new ServiceError('IncorrectKeyException', 400);
  }
  const decipher = createDecipheriv('aes-256-gcm', key.secret, blob.subarray(16, 28)).setAAD(aad);
  decipher.setAuthTag(blob.subarray(-16));
  try {
    return Buffer.concat([decipher.update(blob.subarray(28, -16)), decipher.final()]);
  } catch {
    throw new ServiceError('InvalidCiphertextException', 400);
  }
}

/** The key that an attestation document carries, where the key's policy lets it have plaintext. */
function attestedKey(recipient: Fields, pcrs: Readonly<Record<number, string>>): KeyObject {
  if (recipient['KeyEncryptionAlgorithm'] !== 'RSAES_OAEP_SHA_256') throw new ServiceError('ValidationException', 400);
  try {
    const { payload: content } = decodeSign1(new Uint8Array(bytes(recipient, 'AttestationDocument')));
    const payload = decodeCbor(content ?? new Uint8Array(0));
    const fields = payload instanceof Map ? payload : new Map();
    const spki: unknown = fields.get('public_key');
    const values: unknown = fields.get('pcrs');
    for (const [number, expected] of Object.entries(pcrs)) {
      const value: unknown = values instanceof Map ? values.get(Number(number)) : undefined;
      if (!(value instanceof Uint8Array) || toHex(value) !== expected)
        throw new ServiceError('AccessDeniedException', 400);
    }
    if (!(spki instanceof Uint8Array)) throw new ServiceError('ValidationException', 400);
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (error) {
    throw error instanceof ServiceError ? error : new ServiceError('ValidationException', 400);
  }
}

function pairOf(spec: string): FakeKey['pair'] {
  if (spec === 'ECC_NIST_P256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (spec === 'ECC_NIST_P384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (spec === 'ECC_NIST_EDWARDS25519') return generateKeyPairSync('ed25519');
  if (spec !== 'SYMMETRIC_DEFAULT') throw new ServiceError('ValidationException', 400);
  return undefined;
}

function metadataOf(key: FakeKey): Fields {
  return {
    KeyId: key.id,
    Arn: key.arn,
    KeySpec: key.spec,
    KeyUsage: key.usage,
    KeyState: key.state,
    Enabled: key.state === 'Enabled',
    Origin: key.origin,
    CreationDate: key.created,
    KeyManager: 'CUSTOMER',
  };
}

function find(keys: ReadonlyMap<string, FakeKey>, name: string): FakeKey {
  const key = keys.get(name.replace(/^arn:aws:kms:[^:]+:\d+:key\//, ''));
  if (key === undefined) throw new ServiceError('NotFoundException', 400);
  return key;
}

function usable(key: FakeKey, usage: string): FakeKey {
  if (key.state === 'Disabled') throw new ServiceError('DisabledException', 400);
  if (key.state !== 'Enabled') {
    throw new ServiceError('KMSInvalidStateException', 400, `${key.arn} is pending deletion.`);
  }
  if (key.usage !== usage) throw new ServiceError('InvalidKeyUsageException', 400);
  return key;
}

function contextOf(fields: Fields): Buffer {
  const context = fields['EncryptionContext'] ?? {};
  return Buffer.from(JSON.stringify(Object.entries(context).sort(byName)));
}

function byName([left]: readonly [string, unknown], [right]: readonly [string, unknown]): number {
  return left < right ? -1 : 1;
}

function fieldsOf(request: SeenRequest): Fields {
  const value: unknown = JSON.parse(Buffer.from(request.body).toString());
  if (typeof value !== 'object' || value === null) throw new ServiceError('SerializationException', 400);
  return { ...value };
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new ServiceError('ValidationException', 400, `${name} is missing`);
  return value;
}

function bytes(fields: Fields, name: string): Buffer {
  return Buffer.from(text(fields, name), 'base64');
}
