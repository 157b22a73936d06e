import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { Agent } from 'node:https';
import { encodePem, fromBase64Url, toBase64Url, utf8Decode, utf8Encode } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import { startFakeService, type FakeService, type SeenRequest } from '../services/fake-service.ts';
import { forgeCertificate } from '../x509/certificate.ts';
import { basicConstraints } from '../x509/extensions.ts';
import { sharedKeys } from '../x509/keys.ts';
import { FaultPlan, jsonAnswer, ServiceError } from './faults.ts';
import { forgeRelease, forgeVaultSigner, type ForgedVaultSigner } from './released-key.ts';
import { signDigestRaw } from './sign-digest.ts';

type Fields = Record<string, unknown>;

interface FakeKeyVersion {
  readonly name: string;
  readonly version: string;
  readonly kty: string;
  readonly crv: string | undefined;
  keyOps: string[];
  enabled: boolean;
  exportable: boolean;
  readonly created: number;
  readonly secret: Buffer | undefined;
  readonly pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined;
}

/** A key that the vault gives to whoever attests these claims. */
interface ReleasableKey {
  /** 32 hexadecimal digits. */
  readonly version: string;
  readonly key: Uint8Array;
  /** Claims of the attestation token, each with the one value that it must have. */
  readonly claims: Readonly<Record<string, string | number | boolean>>;
}

export interface FakeAzureOptions {
  readonly managed?: boolean;
  /** What the challenge says the token has to be for. Default: the cloud's own. */
  readonly resource?: string;
}

interface TowardsTheFake {
  readonly position: 'perCall';
  readonly policy: {
    readonly name: string;
    sendRequest<Request extends { agent?: unknown }, Answer>(
      request: Request,
      next: (request: Request) => Answer,
    ): Answer;
  };
}

/** One Azure Key Vault or Managed HSM: REST 7.x over TLS, tokens after a challenge. */
export interface FakeAzureKeyVault extends AsyncDisposable {
  /** `https://forged.vault.azure.net:PORT`; only {@link agent} leads there. */
  readonly url: string;
  /** Resolves the vault's name to this machine, and trusts its certificate. */
  readonly agent: Agent;
  /** Options of Azure's SDK that have every request go there. */
  readonly clientOptions: { readonly additionalPolicies: TowardsTheFake[] };
  readonly service: FakeService;
  readonly faults: FaultPlan;
  readonly operations: readonly string[];
  /** By name; the newest version last. */
  readonly keys: ReadonlyMap<string, FakeKeyVersion[]>;
  /** Keys for secure key release, by name; the fake does not verify who signed the attestation token. */
  readonly releasable: Map<string, ReleasableKey>;
  /** Signs the answers of secure key release. */
  readonly signer: ForgedVaultSigner;
  readonly accessToken: string;
  /** What tokens were asked for, in order. */
  readonly scopes: readonly string[];
  /** A credential of the SDK's form that has the right token. */
  readonly credential: { getToken(scopes: string | string[]): Promise<{ token: string; expiresOnTimestamp: number }> };
}

/** Starts a fake vault. It demands tokens, and really wraps and signs. */
export async function startFakeAzureKeyVault(options: FakeAzureOptions = {}): Promise<FakeAzureKeyVault> {
  const kind = options.managed === true ? 'managedhsm' : 'vault';
  const host = `forged.${kind}.azure.net`;
  const resource = options.resource ?? `https://${kind}.azure.net`;
  const accessToken = `eyJ.${randomBytes(24).toString('base64url')}`;
  const keys = new Map<string, FakeKeyVersion[]>();
  const deleted = new Set<string>();
  const faults = new FaultPlan();
  const operations: string[] = [];
  const scopes: string[] = [];
  const tls = await forgeTls(host);
  const releasable = new Map<string, ReleasableKey>();
  const signer = await forgeVaultSigner({ host, now: new Date() });
  const base = { url: '' };
  const challenge = `Bearer authorization="https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47", resource="${resource}"`;
  const service = await startFakeService(
    async (request) => {
      if (request.headers.authorization !== `Bearer ${accessToken}`) {
        const error = { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer or PoP token.' };
        return jsonAnswer(401, { error }, 'application/json', { 'www-authenticate': challenge });
      }
      try {
        if (!/^(?:7\.\d|20\d\d-\d\d-\d\d)$/.test(request.query.get('api-version') ?? ''))
          throw new ServiceError('BadParameter', 400);
        const { operation, run } = route(
          { keys, deleted, releasable, signer, url: base.url, managed: kind === 'managedhsm' },
          request,
        );
        operations.push(operation);
        const fault = faults.take(operation);
        if (fault?.kind === 'error') throw new ServiceError(fault.name, fault.status, fault.message);
        const answer = await run();
        return jsonAnswer(200, fault === undefined ? answer : fault.alter(answer), 'application/json');
      } catch (error) {
        if (!(error instanceof ServiceError)) throw error;
        const { name: code, message, status } = error;
        const headers: Record<string, string> = status === 429 ? { 'retry-after': '0' } : {};
        return jsonAnswer(status, { error: { code, message } }, 'application/json', headers);
      }
    },
    { tls },
  );
  base.url = `https://${host}:${new URL(service.url).port}`;
  const agent = new Agent({
    ca: tls.cert,
    lookup: (_, lookupOptions, done) => {
      if (lookupOptions.all === true) done(null, [{ address: '127.0.0.1', family: 4 }]);
      else done(null, '127.0.0.1', 4);
    },
  });
  return {
    url: base.url,
    agent,
    clientOptions: {
      additionalPolicies: [
        {
          position: 'perCall',
          policy: {
            name: 'towards-the-fake',
            sendRequest(request, next) {
              request.agent = agent;
              return next(request);
            },
          },
        },
      ],
    },
    service,
    faults,
    operations,
    keys,
    releasable,
    signer,
    accessToken,
    scopes,
    credential: {
      getToken(wanted) {
        scopes.push(...[wanted].flat());
        return Promise.resolve({ token: accessToken, expiresOnTimestamp: Date.now() + 3_600_000 });
      },
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      await service.close();
    },
  };
}

interface State {
  readonly keys: Map<string, FakeKeyVersion[]>;
  readonly deleted: Set<string>;
  readonly releasable: ReadonlyMap<string, ReleasableKey>;
  readonly signer: ForgedVaultSigner;
  readonly url: string;
  readonly managed: boolean;
}

function route(state: State, request: SeenRequest): { operation: string; run: () => Fields | Promise<Fields> } {
  const { method, path, query } = request;
  const [, collection, name, version, verb] = path.replace(/\/+$/, '').split('/');
  if (collection !== 'keys') throw new ServiceError('NotFound', 404);
  const fields = (): Fields => {
    const value: unknown = JSON.parse(Buffer.from(request.body).toString());
    if (typeof value !== 'object' || value === null) throw new ServiceError('BadParameter', 400);
    return { ...value };
  };
  if (name === undefined) return { operation: 'list', run: () => list(state, query) };
  const key = (): FakeKeyVersion => find(state, name, version);
  if (method === 'POST' && (verb ?? version) === 'release') {
    const wanted = verb === undefined ? '' : version;
    return { operation: 'release', run: () => release(state, name, wanted, fields()) };
  }
  if (verb !== undefined) {
    const work = Object.hasOwn(uses, verb) ? uses[verb] : undefined;
    if (method !== 'POST' || work === undefined) throw new ServiceError('NotFound', 404);
    return {
      operation: verb,
      run: () => ({ kid: kidOf(state, key()), value: toBase64Url(work(usable(key(), verb), fields())) }),
    };
  }
  if (method === 'POST' && version === 'create')
    return { operation: 'create', run: () => create(state, name, fields()) };
  if (method === 'PATCH') return { operation: 'update', run: () => update(state, key(), fields()) };
  if (method === 'DELETE') return { operation: 'delete', run: () => remove(state, name) };
  if (method === 'GET') return { operation: 'get', run: () => bundle(state, key()) };
  throw new ServiceError('NotFound', 404);
}

/** Pages of two, whatever was asked for. */
function list(state: State, query: URLSearchParams): Fields {
  const start = Number(query.get('skiptoken') ?? '0');
  const names = [...state.keys.keys()].sort();
  const value = names.slice(start, start + 2).map((name) => {
    const key = find(state, name, undefined);
    return { kid: `${state.url}/keys/${name}`, attributes: attributesOf(key) };
  });
  const next = `${state.url}/keys?api-version=${query.get('api-version')}&skiptoken=${start + 2}`;
  return { value, nextLink: start + 2 < names.length ? next : null };
}

function create(state: State, name: string, fields: Fields): Fields {
  if (!/^[0-9a-zA-Z-]{1,127}$/.test(name)) throw new ServiceError('BadParameter', 400);
  if (state.deleted.has(name)) {
    throw new ServiceError('Conflict', 409, `Key ${name} is currently in a deleted but recoverable state.`);
  }
  const kty = String(fields['kty']);
  const attributes: Fields = typeof fields['attributes'] === 'object' ? { ...fields['attributes'] } : {};
  const crv = typeof fields['crv'] === 'string' ? fields['crv'] : undefined;
  const key: FakeKeyVersion = {
    name,
    version: randomBytes(16).toString('hex'),
    kty,
    crv,
    keyOps: Array.isArray(fields['key_ops']) ? fields['key_ops'].map(String) : [],
    enabled: true,
    exportable: attributes['exportable'] === true,
    created: Math.floor(Date.now() / 1000),
    secret: kty === 'oct-HSM' && state.managed ? randomBytes(32) : undefined,
    pair: pairOf(kty, crv, Number(fields['key_size'])),
  };
  if (key.secret === undefined && key.pair === undefined) throw new ServiceError('BadParameter', 400);
  state.keys.set(name, [...(state.keys.get(name) ?? []), key]);
  return bundle(state, key);
}

function pairOf(kty: string, crv: string | undefined, bits: number): FakeKeyVersion['pair'] {
  if (kty === 'RSA' || kty === 'RSA-HSM')
    return generateKeyPairSync('rsa', { modulusLength: bits === 3072 ? 2048 : bits });
  if ((kty === 'EC' || kty === 'EC-HSM') && crv !== undefined) return generateKeyPairSync('ec', { namedCurve: crv });
  return undefined;
}

function update(state: State, key: FakeKeyVersion, fields: Fields): Fields {
  const attributes: Fields = typeof fields['attributes'] === 'object' ? { ...fields['attributes'] } : {};
  if (typeof attributes['enabled'] === 'boolean') key.enabled = attributes['enabled'];
  return bundle(state, key);
}

function remove(state: State, name: string): Fields {
  const answer = bundle(state, find(state, name, undefined));
  state.keys.delete(name);
  state.deleted.add(name);
  return { ...answer, recoveryId: `${state.url}/deletedkeys/${name}`, deletedDate: 1, scheduledPurgeDate: 2 };
}

async function release(state: State, name: string, version: string | undefined, fields: Fields): Promise<Fields> {
  const held = state.releasable.get(name);
  if (held === undefined || (version !== '' && version !== held.version)) throw new ServiceError('KeyNotFound', 404);
  const [, part = ''] = String(fields['target']).split('.');
  let claims: Fields;
  let publicKey: KeyObject;
  try {
    claims = { ...JSON.parse(utf8Decode(fromBase64Url(part))) };
    const runtime: unknown = claims['x-ms-runtime'];
    const keys: unknown = typeof runtime === 'object' && runtime !== null && 'keys' in runtime ? runtime.keys : [];
    const jwk: unknown = Array.isArray(keys) ? keys[0] : undefined;
    publicKey = createPublicKey({ key: typeof jwk === 'object' ? { ...jwk } : {}, format: 'jwk' });
  } catch {
    throw new ServiceError(
      'BadParameter',
      400,
      'AKV.SKR.1008: Target environment attestation statement cannot be verified.',
    );
  }
  if (Object.entries(held.claims).some(([claim, value]) => claims[claim] !== value)) {
    throw new ServiceError('Forbidden', 403, 'AKV.SKR.1010: Policy evaluation failed.');
  }
  const { version: held32, key } = held;
  const kid = `${state.url}/keys/${name}/${held32}`;
  const request = { nonce: String(fields['nonce']), enc: String(fields['enc']) };
  return { value: await forgeRelease({ signer: state.signer, kid, publicKey, key, ...request }) };
}

const kekIv = Buffer.from('a6a6a6a6a6a6a6a6', 'hex');
const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

const uses: Readonly<Record<string, (key: FakeKeyVersion, fields: Fields) => Uint8Array>> = {
  wrapkey(key, fields) {
    const value = bytesOf(fields);
    if (fields['alg'] === 'A256KW' && key.secret !== undefined) {
      const cipher = createCipheriv('id-aes256-wrap', key.secret, kekIv);
      return new Uint8Array(Buffer.concat([cipher.update(value), cipher.final()]));
    }
    if (fields['alg'] !== 'RSA-OAEP-256' || key.pair === undefined) throw new ServiceError('BadParameter', 400);
    return new Uint8Array(publicEncrypt({ key: key.pair.publicKey, ...oaep }, value));
  },
  unwrapkey(key, fields) {
    try {
      const value = bytesOf(fields);
      if (fields['alg'] === 'A256KW' && key.secret !== undefined) {
        const decipher = createDecipheriv('id-aes256-wrap', key.secret, kekIv);
        return new Uint8Array(Buffer.concat([decipher.update(value), decipher.final()]));
      }
      if (fields['alg'] !== 'RSA-OAEP-256' || key.pair === undefined) throw new ServiceError('BadParameter', 400);
      return new Uint8Array(privateDecrypt({ key: key.pair.privateKey, ...oaep }, value));
    } catch {
      throw new ServiceError('BadParameter', 400, 'The parameter is incorrect.');
    }
  },
  sign(key, fields) {
    const expected = key.crv === 'P-384' ? 'ES384' : 'ES256';
    if (fields['alg'] !== expected || key.pair === undefined) throw new ServiceError('BadParameter', 400);
    return signDigestRaw(key.pair.privateKey, bytesOf(fields));
  },
};

const operationOf: Readonly<Record<string, string>> = { wrapkey: 'wrapKey', unwrapkey: 'unwrapKey', sign: 'sign' };

function usable(key: FakeKeyVersion, verb: string): FakeKeyVersion {
  if (!key.enabled) {
    throw new ServiceError('Forbidden', 403, `Operation ${verb} is not allowed on a disabled key.`);
  }
  if (!key.keyOps.includes(operationOf[verb] ?? '')) throw new ServiceError('Forbidden', 403);
  return key;
}

function find(state: State, name: string, version: string | undefined): FakeKeyVersion {
  const versions = state.keys.get(name) ?? [];
  const key = version === undefined ? versions.at(-1) : versions.find((one) => one.version === version);
  if (key === undefined) throw new ServiceError('KeyNotFound', 404);
  return key;
}

function kidOf(state: State, key: FakeKeyVersion): string {
  return `${state.url}/keys/${key.name}/${key.version}`;
}

function attributesOf(key: FakeKeyVersion): Fields {
  const { enabled, exportable, created } = key;
  return {
    enabled,
    exportable,
    created,
    updated: created,
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays: 90,
  };
}

function bundle(state: State, key: FakeKeyVersion): Fields {
  const { x, y, n, e } = key.pair?.publicKey.export({ format: 'jwk' }) ?? {};
  const jwk = { kid: kidOf(state, key), kty: key.kty, key_ops: key.keyOps, crv: key.crv, x, y, n, e };
  return { key: jwk, attributes: attributesOf(key), tags: {} };
}

function bytesOf(fields: Fields): Uint8Array {
  const value = fields['value'];
  if (typeof value !== 'string') throw new ServiceError('BadParameter', 400);
  return fromBase64Url(value);
}

/** A key and a certificate of its own for one host name. */
async function forgeTls(host: string): Promise<{ key: string; cert: string }> {
  const keys = await sharedKeys('azure-vault-tls', 'p-256');
  const now = Date.now();
  const certificate = await forgeCertificate({
    subject: { commonName: host },
    keys,
    validity: { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + 86_400_000) },
    extensions: [
      basicConstraints({ ca: true }),
      { oid: '2.5.29.17', value: der.sequence(der.implicit(2, utf8Encode(host))) },
    ],
  });
  return { key: encodePem(keys.pkcs8, 'PRIVATE KEY'), cert: encodePem(certificate, 'CERTIFICATE') };
}
