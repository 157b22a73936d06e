import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  verify,
  type KeyObject,
} from 'node:crypto';

// A reader of docs/protocol.md that shares no line with the packages: the page and node:crypto, nothing else.

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const empty = Buffer.alloc(0);

const uint = (value: number, length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
};

/** Each part after its length, 32 bits big-endian. */
function framed(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts.flatMap((part) => [uint(part.length, 4), part]));
}

export function hashOf(algorithm: 'sha256' | 'sha512', label: string, ...parts: readonly Uint8Array[]): Buffer {
  return createHash(algorithm)
    .update(framed(text(label), ...parts))
    .digest();
}

/** HPKE base mode with HKDF-SHA256 and AES-256-GCM (RFC 9180), the recipient's side. */
export class Recipient {
  readonly #key: Buffer;
  readonly #nonce: Buffer;
  readonly #exporter: Buffer;
  readonly #suite: Buffer;
  #sequence = 0;

  constructor(options: { kem: number; privateKey: Buffer; enc: Buffer; info: Buffer }) {
    const { kem, privateKey, enc, info } = options;
    const shared = kem === 0x0020 ? fromX25519(privateKey, enc) : fromXWing(privateKey, enc);
    this.#suite = Buffer.concat([text('HPKE'), uint(kem, 2), uint(1, 2), uint(2, 2)]);
    const context = Buffer.concat([
      uint(0, 1),
      extract(this.#suite, empty, 'psk_id_hash', empty),
      extract(this.#suite, empty, 'info_hash', info),
    ]);
    const secret = extract(this.#suite, shared, 'secret', empty);
    this.#key = expand(this.#suite, secret, 'key', context, 32);
    this.#nonce = expand(this.#suite, secret, 'base_nonce', context, 12);
    this.#exporter = expand(this.#suite, secret, 'exp', context, 32);
  }

  open(ciphertext: Buffer, aad: Buffer): Buffer {
    return open(this.#key, counted(this.#nonce, this.#sequence++), ciphertext, aad);
  }

  export(label: string, length: number): Buffer {
    return expand(this.#suite, this.#exporter, 'sec', text(label), length);
  }
}

function extract(suite: Buffer, salt: Buffer, label: string, input: Buffer): Buffer {
  return createHmac('sha256', salt)
    .update(Buffer.concat([text('HPKE-v1'), suite, text(label), input]))
    .digest();
}

function expand(suite: Buffer, key: Buffer, label: string, info: Buffer, length: number): Buffer {
  return hkdfExpand(key, Buffer.concat([uint(length, 2), text('HPKE-v1'), suite, text(label), info]), length);
}

export function hkdfExtract(salt: Buffer, input: Buffer): Buffer {
  return createHmac('sha256', salt).update(input).digest();
}

export function hkdfExpand(key: Buffer, info: Buffer, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let index = 1; parts.length * 32 < length; index += 1) {
    parts.push(
      createHmac('sha256', key)
        .update(Buffer.concat([parts.at(-1) ?? empty, info, uint(index, 1)]))
        .digest(),
    );
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** The nonce of a message: the base nonce XOR its number. */
export function counted(nonce: Buffer, sequence: number): Buffer {
  const out = Buffer.from(nonce);
  out.writeUInt32BE((out.readUInt32BE(8) ^ sequence) >>> 0, 8);
  return out;
}

export function open(key: Buffer, nonce: Buffer, sealed: Buffer, aad: Buffer): Buffer {
  const cipher = createDecipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  cipher.setAuthTag(sealed.subarray(-16));
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()]);
}

const x25519Private = (raw: Buffer): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), raw]),
    format: 'der',
    type: 'pkcs8',
  });
const x25519Public = (raw: Buffer): KeyObject =>
  createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), raw]),
    format: 'der',
    type: 'spki',
  });
const rawOf = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);

/** DHKEM(X25519, HKDF-SHA256), RFC 9180 section 4.1. */
function fromX25519(privateKey: Buffer, enc: Buffer): Buffer {
  const own = x25519Private(privateKey);
  const suite = Buffer.concat([text('KEM'), uint(0x0020, 2)]);
  const secret = diffieHellman({ privateKey: own, publicKey: x25519Public(enc) });
  const key = extract(suite, empty, 'eae_prk', secret);
  return expand(suite, key, 'shared_secret', Buffer.concat([enc, rawOf(own)]), 32);
}

/** X-Wing, draft-connolly-cfrg-xwing-kem-08 sections 5.2 and 5.4. The private key is a seed of 32 bytes. */
function fromXWing(seed: Buffer, enc: Buffer): Buffer {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const prefix = Buffer.from('3054020100300b060960864801650304040204428040', 'hex');
  const mlKem = createPrivateKey({
    key: Buffer.concat([prefix, expanded.subarray(0, 64)]),
    format: 'der',
    type: 'pkcs8',
  });
  const own = x25519Private(expanded.subarray(64));
  const share = enc.subarray(1088);
  const first = decapsulate(mlKem, enc.subarray(0, 1088));
  const second = diffieHellman({ privateKey: own, publicKey: x25519Public(share) });
  const label = Buffer.from('5c2e2f2f5e5c', 'hex');
  return createHash('sha3-256')
    .update(Buffer.concat([first, second, share, rawOf(own), label]))
    .digest();
}

/** Reads variable-length integers (RFC 9000 section 16) and what follows them. */
class Cursor {
  readonly bytes: Buffer;
  offset = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  integer(): number {
    const first = this.bytes[this.offset] ?? 0;
    const length = 1 << (first >> 6);
    const value = this.take(length);
    value[0] = first & 0x3f;
    return Number(BigInt(`0x${value.toString('hex')}`));
  }

  take(length: number): Buffer {
    if (this.offset + length > this.bytes.length) throw new RangeError('cut short');
    this.offset += length;
    return Buffer.from(this.bytes.subarray(this.offset - length, this.offset));
  }

  rest(): Buffer {
    return this.take(this.bytes.length - this.offset);
  }
}

/** The chunks of a sealed message: each behind its length, the last behind a zero and to the end, with AAD `final`. */
export function openChunks(bytes: Buffer, openOne: (sealed: Buffer, aad: Buffer) => Buffer): Buffer {
  const cursor = new Cursor(bytes);
  const parts: Buffer[] = [];
  for (;;) {
    const length = cursor.integer();
    if (length === 0) return Buffer.concat([...parts, openOne(cursor.rest(), text('final'))]);
    parts.push(openOne(cursor.take(length), empty));
  }
}

export interface ReadMessage {
  readonly control: readonly string[];
  readonly headers: readonly (readonly string[])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly string[])[];
}

/** Binary HTTP (RFC 9292): framing 0 and 1 of known, 2 and 3 of indeterminate length; zeros may follow. */
export function readMessage(bytes: Buffer): ReadMessage {
  const cursor = new Cursor(bytes);
  const kind = cursor.integer();
  const string = (): string => cursor.take(cursor.integer()).toString('latin1');
  const control = kind % 2 === 0 ? [string(), string(), string(), string()] : [String(cursor.integer())];
  const known = kind < 2;
  const fields = (): string[][] => {
    const lines: string[][] = [];
    if (!known) {
      for (let length = cursor.integer(); length > 0; length = cursor.integer())
        lines.push([cursor.take(length).toString('latin1'), string()]);
      return lines;
    }
    const end = cursor.integer() + cursor.offset;
    while (cursor.offset < end) lines.push([string(), string()]);
    return lines;
  };
  const headers = fields();
  const parts: Buffer[] = [];
  if (known) parts.push(cursor.take(cursor.integer()));
  else for (let length = cursor.integer(); length > 0; length = cursor.integer()) parts.push(cursor.take(length));
  const trailers = fields();
  if (cursor.rest().some((byte) => byte !== 0)) throw new RangeError('padding that is not zero');
  return { control, headers, body: Buffer.concat(parts), trailers };
}

/** Digest of a message whose body is at most 64 KiB: start, one block, end. */
export function messageDigest(label: string, fields: readonly string[], body: Buffer): Buffer {
  let state = hashOf('sha256', label, ...fields.map(text));
  const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
    createHash('sha256').update(Buffer.concat(parts)).digest();
  if (body.length > 0) state = sha256(uint(1, 1), state, body);
  return sha256(uint(2, 1), state, uint(0, 4), uint(body.length, 4));
}

/** What the signed maps of the page are made of. */
export type Claim = number | string | Uint8Array;

/** The head of a CBOR item in its shortest form (RFC 8949, section 3). */
function cborHead(major: number, value: number): Buffer {
  const kind = major << 5;
  if (value < 24) return uint(kind | value, 1);
  if (value < 0x100) return Buffer.concat([uint(kind | 24, 1), uint(value, 1)]);
  if (value < 0x1_0000) return Buffer.concat([uint(kind | 25, 1), uint(value, 2)]);
  return Buffer.concat([uint(kind | 26, 1), uint(value, 4)]);
}

function cbor(claim: Claim): Buffer {
  if (typeof claim === 'number') return claim < 0 ? cborHead(1, -1 - claim) : cborHead(0, claim);
  const bytes = typeof claim === 'string' ? text(claim) : claim;
  return Buffer.concat([cborHead(typeof claim === 'string' ? 3 : 2, bytes.length), bytes]);
}

/** A map whose labels rise. */
function cborMap(claims: readonly (readonly [label: number, claim: Claim])[]): Buffer {
  return Buffer.concat([cborHead(5, claims.length), ...claims.flatMap(([label, claim]) => [cbor(label), cbor(claim)])]);
}

/**
 * Whether `token` is the COSE_Sign1 of these claims under a raw Ed25519 key: the page fixes every byte but the signature, so it
 * is written anew and compared, and not parsed.
 */
export function isSigned(
  token: Buffer,
  kind: 'receipt' | 'lease' | 'succession',
  claims: readonly (readonly [label: number, claim: Claim])[],
  rawKey: Buffer,
): boolean {
  const header = cborMap([
    [1, -19],
    [16, `application/vnd.fastness.${kind}+cose`],
  ]);
  const payload = cborMap(claims);
  const signature = token.subarray(-64);
  const written = [uint(0xd2, 1), uint(0x84, 1), cbor(header), uint(0xa0, 1), cbor(payload), cbor(signature)];
  const signed = Buffer.concat([uint(0x84, 1), cbor('Signature1'), cbor(header), cbor(empty), cbor(payload)]);
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), rawKey]);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return token.equals(Buffer.concat(written)) && verify(null, signed, key, signature);
}

interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly sig: string }[];
}

/** The payload of a DSSE envelope that one of `keys` (SubjectPublicKeyInfo DER) signed. */
function dssePayload({ payload, payloadType, signatures }: Envelope, keys: readonly Uint8Array[]): Buffer {
  const body = Buffer.from(payload, 'base64');
  const signed = Buffer.concat([text(`DSSEv1 ${text(payloadType).length} ${payloadType} ${body.length} `), body]);
  const hashes: Readonly<Record<string, string>> = { prime256v1: 'sha256', secp384r1: 'sha384', secp521r1: 'sha512' };
  const fits = (spki: Uint8Array, { sig }: { readonly sig: string }): boolean => {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const hash = hashes[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? null;
    return verify(hash, signed, key, Buffer.from(sig, 'base64'));
  };
  if (!signatures.some((signature) => keys.some((key) => fits(key, signature)))) throw new Error('not signed');
  return body;
}

/**
 * What section 1.5 has a client check of a release, less dates and versions. Returns its digest and who approved it.
 * @throws when the owner's signature, the texts or an approval are not right
 */
export function readRelease(
  given: {
    readonly bundle: string;
    readonly manifest: string;
    readonly release: string;
    readonly approvals: readonly string[];
  },
  ownerKeys: readonly Uint8Array[],
  approvers: Readonly<Record<string, Uint8Array>>,
): { readonly digest: Buffer; readonly approvedBy: string[] } {
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
  const { dsseEnvelope } = JSON.parse(given.bundle) as { dsseEnvelope: Envelope };
  const payload = dssePayload(dsseEnvelope, ownerKeys);
  const statement = JSON.parse(payload.toString('utf8')) as {
    subject: [{ digest: { sha256: string } }];
    predicate: { resources: { name: string; digest: string }[] };
  };
  const { resources } = statement.predicate;
  const joined = Buffer.concat(resources.map(({ digest }) => Buffer.from(digest, 'hex')));
  if (sha256(joined).toString('hex') !== statement.subject[0].digest.sha256) throw new Error('subject');
  const { files } = JSON.parse(given.manifest) as { files: { sealedPath: string }[] };
  const wanted = ['manifest.json', 'release.json', ...files.map(({ sealedPath }) => sealedPath)].toSorted();
  if (
    resources
      .map(({ name }) => name)
      .toSorted()
      .join('\n') !== wanted.join('\n')
  )
    throw new Error('resources');
  for (const [name, content] of [
    ['manifest.json', given.manifest],
    ['release.json', given.release],
  ] as const) {
    const { digest } = resources.find((resource) => resource.name === name) ?? {};
    if (sha256(text(content)).toString('hex') !== digest) throw new Error(name);
  }
  const digest = sha256(payload);
  const approvedBy = given.approvals.map((approval) => {
    const envelope = JSON.parse(approval) as Envelope;
    const claimed = JSON.parse(Buffer.from(envelope.payload, 'base64').toString('utf8')) as Record<string, string>;
    dssePayload(envelope, [approvers[claimed['approver'] ?? ''] ?? empty]);
    if (claimed['releaseDigest'] !== digest.toString('hex') || claimed['decision'] !== 'approve')
      throw new Error('approval');
    return claimed['approver'] ?? '';
  });
  return { digest, approvedBy };
}
