import { createCipheriv, createDecipheriv, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { crc32c } from '@fastness/codec/bytes';
import { startFakeService, type FakeService, type SeenRequest } from '../services/fake-service.ts';
import { FaultPlan, jsonAnswer, ServiceError } from './faults.ts';
import { signDigest } from './sign-digest.ts';

/** The numbers of the service's enumerations, which its SDK asks for in place of their names. */
const states = { ENABLED: 1, DISABLED: 2, DESTROYED: 3, DESTROY_SCHEDULED: 4, PENDING_GENERATION: 5 } as const;
const levels = { SOFTWARE: 1, HSM: 2 } as const;
const algorithms = {
  GOOGLE_SYMMETRIC_ENCRYPTION: 1,
  EC_SIGN_P256_SHA256: 12,
  EC_SIGN_P384_SHA384: 13,
  EC_SIGN_ED25519: 40,
} as const;
const purposes = { ENCRYPT_DECRYPT: 1, ASYMMETRIC_SIGN: 5 } as const;

interface FakeVersion {
  readonly name: string;
  readonly number: number;
  state: number;
  level: number;
  /** Times that a look at it still finds it in the making. */
  making: number;
  readonly secret: Buffer;
  readonly pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined;
}

interface FakeCryptoKey {
  readonly name: string;
  readonly purpose: number;
  readonly algorithm: number;
  readonly level: number;
  primary: number;
  readonly versions: FakeVersion[];
}

/** Google Cloud KMS with one key ring, and the token exchange of workload identity. */
export interface FakeGoogleKms extends AsyncDisposable {
  readonly url: string;
  readonly keyRing: string;
  readonly service: FakeService;
  readonly faults: FaultPlan;
  /** Names of the operations that were asked, in order. */
  readonly operations: readonly string[];
  readonly keys: ReadonlyMap<string, FakeCryptoKey>;
  /** The token that it exchanges for one of its own; any other is refused. */
  readonly subjectToken: string;
  /** The token that it gave. */
  readonly accessToken: string;
  /** The content of a credentials file whose subject token lies in the file at `path`. */
  credentials(path: string): WorkloadCredentials;
}

export interface WorkloadCredentials {
  readonly type: 'external_account';
  readonly audience: string;
  readonly subject_token_type: string;
  readonly token_url: string;
  readonly credential_source: { readonly file: string };
}

type Fields = Record<string, unknown>;

interface State {
  readonly keyRing: string;
  readonly keys: Map<string, FakeCryptoKey>;
}

/** Starts a fake of Google Cloud KMS. It checks tokens and checksums, and really encrypts and signs. */
export async function startFakeGoogleKms(): Promise<FakeGoogleKms> {
  const keyRing = 'projects/forged-project/locations/europe-west3/keyRings/models';
  const subjectToken = randomBytes(24).toString('base64url');
  const accessToken = `ya29.${randomBytes(24).toString('base64url')}`;
  const audience = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q';
  const keys = new Map<string, FakeCryptoKey>();
  const faults = new FaultPlan();
  const operations: string[] = [];
  const service = await startFakeService((request) => {
    try {
      if (request.path === '/v1/token') return exchange(request, { subjectToken, accessToken, audience });
      if (request.headers.authorization !== `Bearer ${accessToken}`) throw new ServiceError('UNAUTHENTICATED', 401);
      const { operation, run } = route({ keyRing, keys }, request);
      operations.push(operation);
      const fault = faults.take(operation);
      if (fault?.kind === 'error') throw new ServiceError(fault.name, fault.status, fault.message);
      const answer = run();
      return jsonAnswer(200, fault === undefined ? answer : fault.alter(answer), 'application/json');
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      const { name: status, status: code, message } = error;
      return jsonAnswer(code, { error: { code, message, status } }, 'application/json');
    }
  });
  return {
    url: service.url,
    keyRing,
    service,
    faults,
    operations,
    keys,
    subjectToken,
    accessToken,
    credentials: (path) => ({
      type: 'external_account',
      audience,
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${service.url}/v1/token`,
      credential_source: { file: path },
    }),
    [Symbol.asyncDispose]: () => service.close(),
  };
}

/** RFC 8693, as the security token service of workload identity has it. */
function exchange(
  request: SeenRequest,
  expected: { readonly subjectToken: string; readonly accessToken: string; readonly audience: string },
) {
  const form = new URLSearchParams(Buffer.from(request.body).toString());
  const right =
    form.get('grant_type') === 'urn:ietf:params:oauth:grant-type:token-exchange' &&
    form.get('audience') === expected.audience &&
    form.get('subject_token') === expected.subjectToken;
  if (!right) {
    return jsonAnswer(
      400,
      { error: 'invalid_grant', error_description: 'The token is not accepted.' },
      'application/json',
    );
  }
  const answer = {
    access_token: expected.accessToken,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    token_type: 'Bearer',
    expires_in: 3600,
  };
  return jsonAnswer(200, answer, 'application/json');
}

function route(state: State, request: SeenRequest): { operation: string; run: () => Fields } {
  const { method, query } = request;
  const [path = '', verb] = decodeURIComponent(request.path)
    .replace(/^\/v1\//, '')
    .split(':');
  const base = `${state.keyRing}/cryptoKeys`;
  const match = new RegExp(`^${base}(?:/([\\w-]+)(?:/cryptoKeyVersions(?:/(\\d+)(/publicKey)?)?)?)?$`).exec(path);
  if (match === null) throw new ServiceError('NOT_FOUND', 404);
  const [, short, number, publicKey] = match;
  const fields = (): Fields => {
    const value: unknown = JSON.parse(Buffer.from(request.body).toString());
    if (typeof value !== 'object' || value === null) throw new ServiceError('INVALID_ARGUMENT', 400);
    return { ...value };
  };
  const key = (): FakeCryptoKey => found(state.keys.get(short ?? ''));
  const version = (): FakeVersion => found(key().versions.find((one) => one.number === Number(number)));
  const isVersions = path.endsWith('/cryptoKeyVersions');
  switch (`${method} ${verb ?? ''}`) {
    case 'GET ':
      if (short === undefined) return { operation: 'listCryptoKeys', run: () => listKeys(state, query) };
      if (isVersions) return { operation: 'listCryptoKeyVersions', run: () => listVersions(key(), query) };
      if (publicKey !== undefined)
        return { operation: 'getPublicKey', run: () => publicKeyOf(usable(version()), key()) };
      return { operation: 'getCryptoKeyVersion', run: () => describe(version(), key()) };
    case 'POST ':
      return isVersions
        ? { operation: 'createCryptoKeyVersion', run: () => addVersion(key()) }
        : { operation: 'createCryptoKey', run: () => addKey(state, query, fields()) };
    case 'PATCH ':
      return { operation: 'updateCryptoKeyVersion', run: () => update(version(), key(), fields(), query) };
    case 'POST updatePrimaryVersion':
      return { operation: 'updateCryptoKeyPrimaryVersion', run: () => setPrimary(key(), fields()) };
    case 'POST destroy':
      return { operation: 'destroyCryptoKeyVersion', run: () => destroy(version(), key()) };
    case 'POST encrypt':
      return { operation: 'encrypt', run: () => encrypt(usable(version()), fields()) };
    case 'POST decrypt':
      return { operation: 'decrypt', run: () => decrypt(key(), fields()) };
    case 'POST asymmetricSign':
      return { operation: 'asymmetricSign', run: () => signWith(usable(version()), key(), fields()) };
    default:
      throw new ServiceError('NOT_FOUND', 404);
  }
}

function addKey(state: State, query: URLSearchParams, fields: Fields): Fields {
  const id = query.get('cryptoKeyId') ?? '';
  if (!/^[a-zA-Z0-9_-]{1,63}$/.test(id)) throw new ServiceError('INVALID_ARGUMENT', 400);
  if (state.keys.has(id)) throw new ServiceError('ALREADY_EXISTS', 409);
  const template: unknown = fields['versionTemplate'];
  if (typeof template !== 'object' || template === null) throw new ServiceError('INVALID_ARGUMENT', 400);
  const parts: Fields = { ...template };
  const key: FakeCryptoKey = {
    name: `${state.keyRing}/cryptoKeys/${id}`,
    purpose: numberOf(purposes, fields['purpose']),
    algorithm: numberOf(algorithms, parts['algorithm']),
    level: numberOf(levels, parts['protectionLevel']),
    primary: 1,
    versions: [],
  };
  state.keys.set(id, key);
  addVersion(key);
  return { name: key.name, purpose: key.purpose };
}

function addVersion(key: FakeCryptoKey): Fields {
  const number = key.versions.length + 1;
  const version: FakeVersion = {
    name: `${key.name}/cryptoKeyVersions/${number}`,
    number,
    state: states.ENABLED,
    level: key.level,
    // Keys in HSMs take a moment.
    making: key.level === levels.HSM && key.purpose === purposes.ASYMMETRIC_SIGN ? 1 : 0,
    secret: randomBytes(32),
    pair: pairOf(key.algorithm),
  };
  key.versions.push(version);
  return describe(version, key);
}

function listKeys(state: State, query: URLSearchParams): Fields {
  const { items, next } = paged([...state.keys.values()], query);
  return { cryptoKeys: items.map(({ name, purpose }) => ({ name, purpose })), ...next };
}

function listVersions(key: FakeCryptoKey, query: URLSearchParams): Fields {
  const { items, next } = paged(key.versions, query);
  return { cryptoKeyVersions: items.map((version) => describe(version, key)), ...next };
}

/** Pages of two, whatever was asked for: the service may do that. */
function paged<T>(all: readonly T[], query: URLSearchParams): { items: readonly T[]; next: Fields } {
  const start = Number(query.get('pageToken') ?? '0');
  const more = start + 2 < all.length;
  return { items: all.slice(start, start + 2), next: more ? { nextPageToken: String(start + 2) } : {} };
}

function describe(version: FakeVersion, key: FakeCryptoKey): Fields {
  const making = version.making > 0;
  if (making) version.making -= 1;
  return {
    name: version.name,
    state: making ? states.PENDING_GENERATION : version.state,
    protectionLevel: version.level,
    algorithm: key.algorithm,
    createTime: '2026-01-02T03:04:05Z',
  };
}

function update(version: FakeVersion, key: FakeCryptoKey, fields: Fields, query: URLSearchParams): Fields {
  if (query.get('updateMask') !== 'state') throw new ServiceError('INVALID_ARGUMENT', 400);
  version.state = numberOf(states, fields['state']);
  return describe(version, key);
}

function setPrimary(key: FakeCryptoKey, fields: Fields): Fields {
  key.primary = Number(fields['cryptoKeyVersionId']);
  found(key.versions.find(({ number }) => number === key.primary));
  return { name: key.name, purpose: key.purpose };
}

function destroy(version: FakeVersion, key: FakeCryptoKey): Fields {
  version.state = states.DESTROY_SCHEDULED;
  return describe(version, key);
}

function encrypt(version: FakeVersion, fields: Fields): Fields {
  const plaintext = received(fields, 'plaintext');
  const aad = received(fields, 'additionalAuthenticatedData');
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', version.secret, iv).setAAD(aad);
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const ciphertext = Buffer.concat([Uint8Array.of(0x0a, version.number), iv, body, cipher.getAuthTag()]);
  return {
    name: version.name,
    ...summed('ciphertext', ciphertext),
    verifiedPlaintextCrc32c: true,
    verifiedAdditionalAuthenticatedDataCrc32c: true,
    protectionLevel: version.level,
  };
}

function decrypt(key: FakeCryptoKey, fields: Fields): Fields {
  const ciphertext = received(fields, 'ciphertext');
  const aad = received(fields, 'additionalAuthenticatedData');
  const invalid = new ServiceError('INVALID_ARGUMENT', 400, 'Decryption failed: the ciphertext is invalid.');
  const version = key.versions.find(({ number }) => number === ciphertext[1]);
  if (ciphertext.length < 31 || ciphertext[0] !== 0x0a || version === undefined) throw invalid;
  usable(version);
  const decipher = createDecipheriv('aes-256-gcm', version.secret, ciphertext.subarray(2, 14)).setAAD(aad);
  decipher.setAuthTag(ciphertext.subarray(-16));
  try {
    const plaintext = Buffer.concat([decipher.update(ciphertext.subarray(14, -16)), decipher.final()]);
    return {
      ...summed('plaintext', plaintext),
      usedPrimary: version.number === key.primary,
      protectionLevel: version.level,
    };
  } catch {
    throw invalid;
  }
}

function publicKeyOf(version: FakeVersion, key: FakeCryptoKey): Fields {
  const pem = String(found(version.pair).publicKey.export({ format: 'pem', type: 'spki' }));
  return {
    name: version.name,
    pem,
    pemCrc32c: String(crc32c(Buffer.from(pem))),
    algorithm: key.algorithm,
    protectionLevel: version.level,
  };
}

function signWith(version: FakeVersion, key: FakeCryptoKey, fields: Fields): Fields {
  const { privateKey } = found(version.pair);
  const common = { name: version.name, protectionLevel: version.level };
  if (key.algorithm === algorithms.EC_SIGN_ED25519) {
    const signature = sign(null, received(fields, 'data'), privateKey);
    return { ...common, ...summed('signature', signature), verifiedDataCrc32c: true };
  }
  const digest: unknown = fields['digest'];
  const name = key.algorithm === algorithms.EC_SIGN_P384_SHA384 ? 'sha384' : 'sha256';
  const digests: Fields = typeof digest === 'object' ? { ...digest } : {};
  const bytes = received({ digest: digests[name], digestCrc32c: fields['digestCrc32c'] }, 'digest');
  const signature = Buffer.from(signDigest(privateKey, bytes));
  return { ...common, ...summed('signature', signature), verifiedDigestCrc32c: true };
}

function usable(version: FakeVersion): FakeVersion {
  if (version.state === states.ENABLED) return version;
  const name = Object.entries(states).find(([, value]) => value === version.state)?.[0];
  throw new ServiceError('FAILED_PRECONDITION', 400, `${version.name} is not enabled, current state is: ${name}.`);
}

/** The bytes of a field, whose checksum must have come along. */
function received(fields: Fields, name: string): Buffer {
  const value = fields[name];
  const sum = fields[`${name}Crc32c`];
  if (typeof value !== 'string') throw new ServiceError('INVALID_ARGUMENT', 400, `${name} is missing`);
  const bytes = Buffer.from(value, 'base64');
  if (String(sum) !== String(crc32c(bytes))) {
    throw new ServiceError('INVALID_ARGUMENT', 400, `The checksum in field ${name}_crc32c did not match.`);
  }
  return bytes;
}

function summed(name: string, bytes: Buffer): Fields {
  return { [name]: bytes.toString('base64'), [`${name}Crc32c`]: String(crc32c(bytes)) };
}

function pairOf(algorithm: number): FakeVersion['pair'] {
  if (algorithm === algorithms.EC_SIGN_P256_SHA256) return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (algorithm === algorithms.EC_SIGN_P384_SHA384) return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  return algorithm === algorithms.EC_SIGN_ED25519 ? generateKeyPairSync('ed25519') : undefined;
}

function numberOf(names: Readonly<Record<string, number>>, value: unknown): number {
  const number = typeof value === 'string' ? names[value] : value;
  if (typeof number !== 'number' || !Object.values(names).includes(number)) {
    throw new ServiceError('INVALID_ARGUMENT', 400);
  }
  return number;
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new ServiceError('NOT_FOUND', 404);
  return value;
}
