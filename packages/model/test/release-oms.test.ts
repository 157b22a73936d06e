import { describe, expect, it } from 'vitest';
import { keyIdOf, parseOmsBundle, releaseDigestOf, verifyOmsBundle } from '../src/release/index.ts';
import { expectCode, forgeBundle, makeStatement, pae, rootDigest, sha256Hex, testKey } from './release-support.ts';

const key = testKey('P-384');
const stranger = testKey('P-384');
const publicKeys = [key.spki];
const files = { 'config.json': '{}', 'weights/part-1.bin': 'weights' };
const bundleOf = (payload: unknown) => forgeBundle({ payload, keys: [key] });
const honest = bundleOf(makeStatement(files));

interface BundleJson {
  mediaType: string;
  verificationMaterial: Record<string, unknown>;
  dsseEnvelope: { payload: string; signatures: { sig: string; keyid: string }[] };
  [other: string]: unknown;
}

/** The honest bundle with something changed around the signature. */
function altered(edit: (bundle: BundleJson) => void): string {
  const bundle: BundleJson = JSON.parse(honest);
  edit(bundle);
  return JSON.stringify(bundle);
}

function replaceSignature(envelope: BundleJson['dsseEnvelope'], signature: Uint8Array): void {
  envelope.signatures = [{ sig: Buffer.from(signature).toString('base64'), keyid: '' }];
}

/** An honest statement with something changed before it is signed. */
function statementWith(edit: (statement: ReturnType<typeof makeStatement> & Record<string, unknown>) => void): string {
  const statement = makeStatement(files);
  edit(statement);
  statement.subject[0] = { name: 'model', digest: { sha256: rootDigest(statement.predicate.resources) } };
  return bundleOf(statement);
}

describe('an honest key signature', () => {
  it.each(['P-256', 'P-384', 'P-521'] as const)('by %s is accepted', async (algorithm) => {
    const signer = testKey(algorithm);
    const bundle = forgeBundle({ payload: makeStatement(files), keys: [signer] });
    const verified = await verifyOmsBundle({ bundle, publicKeys: [stranger.spki, signer.spki] });
    expect(verified.signer).toEqual({ method: 'key', keyId: signer.hint, signatureIndex: 0 });
    expect(verified.statement.resources).toEqual(
      Object.entries(files).map(([name, content]) => ({ name, digest: sha256Hex(content) })),
    );
  });

  it('names its key as the reference tool does: SHA-256 of the PEM', async () => {
    expect(await keyIdOf(key.spki)).toBe(key.hint);
  });

  it('is accepted without a hint, and with the key embedded, as older tools wrote it', async () => {
    for (const publicKey of [{}, { hint: null }, { rawBytes: 'LS0tLS1', keyDetails: 'PKIX_ECDSA_P384_SHA_384' }]) {
      const bundle = forgeBundle({ payload: makeStatement(files), keys: [key], material: { publicKey } });
      await verifyOmsBundle({ bundle, publicKeys });
    }
  });

  it('is found in whatever place it stands', async () => {
    const material = { publicKey: { hint: key.hint } };
    const bundle = forgeBundle({ payload: makeStatement(files), keys: [stranger, stranger, key], material });
    expect((await verifyOmsBundle({ bundle, publicKeys })).signer.signatureIndex).toBe(2);
  });

  it('tolerates further members of the predicate, as OMS prescribes', async () => {
    const statement = makeStatement(files);
    await verifyOmsBundle({
      bundle: bundleOf({ ...statement, predicate: { ...statement.predicate, model_card: { name: 'x' } } }),
      publicKeys,
    });
  });

  it('has the digest of its exact payload', async () => {
    const { payload } = parseOmsBundle(honest).envelope;
    expect(Buffer.from(await releaseDigestOf(honest)).toString('hex')).toBe(sha256Hex(payload));
  });
});

describe('trust', () => {
  it('is refused to a key that the caller does not pin', () =>
    expectCode(verifyOmsBundle({ bundle: honest, publicKeys: [stranger.spki] }), 'OMS_KEY_UNKNOWN'));

  it('is refused when the caller pins none', async () => {
    await expectCode(verifyOmsBundle({ bundle: honest, publicKeys: [] }), 'OMS_KEY_UNKNOWN');
    const unhinted = forgeBundle({ payload: makeStatement(files), keys: [key], material: { publicKey: {} } });
    await expectCode(verifyOmsBundle({ bundle: unhinted, publicKeys: [] }), 'OMS_KEY_UNKNOWN');
  });

  it('is refused to a stranger who claims the pinned key', async () => {
    const material = { publicKey: { hint: key.hint } };
    const bundle = forgeBundle({ payload: makeStatement(files), keys: [stranger], material });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_SIGNATURE');
  });

  it('is refused when one bit of the payload differs', async () => {
    const bundle = altered(({ dsseEnvelope }) => {
      const payload = Buffer.from(dsseEnvelope.payload, 'base64').toString().replace('"model"', '"mudel"');
      dsseEnvelope.payload = Buffer.from(payload).toString('base64');
    });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_SIGNATURE');
  });

  it('is refused when the signature is of the payload alone, without its type', async () => {
    const bundle = altered(({ dsseEnvelope }) => {
      const raw = key.sign(Buffer.from(dsseEnvelope.payload, 'base64'));
      replaceSignature(dsseEnvelope, raw);
    });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_SIGNATURE');
  });

  it('is refused when the signature is for another payload type', async () => {
    const bundle = altered(({ dsseEnvelope }) => {
      const raw = key.sign(pae('application/json', Buffer.from(dsseEnvelope.payload, 'base64')));
      replaceSignature(dsseEnvelope, raw);
    });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_SIGNATURE');
  });

  it('is refused to a signature that is not DER', async () => {
    const bundle = altered(({ dsseEnvelope }) => {
      replaceSignature(dsseEnvelope, Buffer.alloc(96, 1));
    });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_SIGNATURE');
  });

  it.each([
    ['Ed25519, which OMS does not have', testKey('Ed25519').spki],
    ['no key', new Uint8Array(91)],
    ['a longer key', Buffer.concat([key.spki, Buffer.of(0)])],
    ['a point off the curve', key.spki.map((byte, index) => (index === key.spki.length - 1 ? byte ^ 1 : byte))],
  ])('is not placed in %s', (_, spki) =>
    expectCode(verifyOmsBundle({ bundle: honest, publicKeys: [spki] }), 'OMS_KEY_UNSUPPORTED'),
  );

  it('in certificates does not extend to a key signature, nor that in a key to what is no certificate', async () => {
    const now = new Date();
    await expectCode(verifyOmsBundle({ bundle: honest, roots: [], now }), 'OMS_METHOD_MISMATCH');
    const material = { x509CertificateChain: { certificates: [{ rawBytes: 'AAAA' }] } };
    const bundle = forgeBundle({ payload: makeStatement(files), keys: [key], material });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_CERTIFICATE_CHAIN');
  });
});

describe('a bundle', () => {
  it.each([
    ['no JSON', 'not json'],
    ['an array', '[]'],
    ['another media type', altered((bundle) => (bundle.mediaType += 'x'))],
    ['an unknown member', altered((bundle) => (bundle['extra'] = 1))],
    ['a plain message signature', altered((bundle) => (bundle['messageSignature'] = {}))],
    ['no material', altered((bundle) => (bundle.verificationMaterial = {}))],
    [
      'two kinds of material',
      altered(
        (bundle) => (bundle.verificationMaterial['x509CertificateChain'] = { certificates: [{ rawBytes: 'AAAA' }] }),
      ),
    ],
    ['no signature', altered((bundle) => (bundle.dsseEnvelope.signatures = []))],
    [
      'too many signatures',
      altered((bundle) => (bundle.dsseEnvelope.signatures = Array(17).fill(bundle.dsseEnvelope.signatures[0]))),
    ],
    ['base64url', altered((bundle) => (bundle.dsseEnvelope.signatures = [{ sig: '_-_-', keyid: '' }]))],
    ['loose base64', altered((bundle) => (bundle.dsseEnvelope.payload += '\n'))],
  ])('is refused with %s', (_, bundle) => expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_MALFORMED'));

  it('is refused when it is enormous', () =>
    expectCode(verifyOmsBundle({ bundle: ' '.repeat(45 * 1024 * 1024), publicKeys }), 'OMS_LIMIT'));

  it('is refused with another type of payload', async () => {
    const bundle = forgeBundle({ payload: makeStatement(files), keys: [key], payloadType: 'application/json' });
    await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_PAYLOAD_TYPE');
  });

  it('is refused with a payload that is no statement about a model', async () => {
    const statement = makeStatement(files);
    for (const payload of [
      'text',
      { ...statement, _type: 'https://in-toto.io/Statement/v0.1' },
      { ...statement, predicateType: 'https://slsa.dev/provenance/v1' },
    ]) {
      await expectCode(verifyOmsBundle({ bundle: bundleOf(payload), publicKeys }), 'OMS_PAYLOAD_TYPE');
    }
  });

  it('is refused with the predicate from before 1.0, whoever signed it', async () => {
    const payload = { ...makeStatement(files), predicateType: 'https://model_signing/Digests/v0.1' };
    await expectCode(verifyOmsBundle({ bundle: bundleOf(payload), publicKeys }), 'OMS_PRE_1_0');
  });
});

describe('a signed statement', () => {
  const expectStatement = (bundle: string, code: Parameters<typeof expectCode>[1]) =>
    expectCode(verifyOmsBundle({ bundle, publicKeys }), code);

  it('is refused without exactly one subject', async () => {
    const statement = makeStatement(files);
    await expectStatement(bundleOf({ ...statement, subject: [] }), 'OMS_STATEMENT');
    await expectStatement(
      bundleOf({ ...statement, subject: [statement.subject[0], statement.subject[0]] }),
      'OMS_STATEMENT',
    );
  });

  it('is refused when its root digest is another', async () => {
    const statement = makeStatement(files);
    await expectStatement(
      bundleOf({ ...statement, subject: [{ name: 'model', digest: { sha256: sha256Hex('') } }] }),
      'OMS_ROOT_DIGEST',
    );
  });

  it('is refused when the root digest is over another order', async () => {
    const statement = makeStatement(files);
    statement.predicate.resources.reverse();
    await expectStatement(bundleOf(statement), 'OMS_ROOT_DIGEST');
  });

  it.each(['blake2b', 'blake3', 'sha512', 'SHA256'])('is refused when hashed by %s', (hash_type) =>
    expectStatement(bundleOf(makeStatement(files, { hash_type })), 'OMS_SERIALIZATION_UNSUPPORTED'),
  );

  it('is refused when serialized by an unknown method', () =>
    expectStatement(bundleOf(makeStatement(files, { method: 'tensors' })), 'OMS_SERIALIZATION_UNSUPPORTED'));

  it.each([{ shard_size: 8 }, { method: 'shards' }, { method: 'shards', shard_size: 8 }, { shard_size: 0 }])(
    'is refused when its shards contradict its method: %j',
    (serialization) => expectStatement(bundleOf(makeStatement(files, serialization)), 'OMS_STATEMENT'),
  );

  it('is refused when a resource is hashed by something else', () =>
    expectStatement(
      statementWith(({ predicate }) => {
        for (const resource of predicate.resources) resource.algorithm = 'sha512';
      }),
      'OMS_STATEMENT',
    ));

  it.each([
    '',
    '/etc/passwd',
    '../x',
    'a/../b',
    'a//b',
    'a/',
    './a',
    'a/.',
    '..',
    'a\nb',
    'a\u0000b',
    '\ud800',
    'x'.repeat(1025),
  ])('is refused with the resource %j', (name) =>
    expectStatement(
      statementWith(({ predicate }) => {
        for (const resource of predicate.resources.slice(0, 1)) resource.name = name;
      }),
      'OMS_RESOURCE_NAME',
    ),
  );

  it.each(['.', '..', '../elsewhere', '/'])('is refused when it ignores %j', (path) =>
    expectStatement(bundleOf(makeStatement(files, { ignore_paths: [path] })), 'OMS_RESOURCE_NAME'),
  );

  it('is refused when it lists a resource twice', () =>
    expectStatement(
      statementWith(({ predicate }) => predicate.resources.push(...predicate.resources.slice(0, 1))),
      'OMS_RESOURCE_DUPLICATE',
    ));

  it.each(['file', 'file:0', 'file:0:0', 'file:8:4', 'file:00:8', 'file:0:8:9', ':0:8', 'fi:le:0:8'])(
    'is refused with the shard %j',
    (name) => {
      const statement = makeStatement({ [name]: 'x' }, { method: 'shards', shard_size: 8 });
      for (const resource of statement.predicate.resources) resource.algorithm = 'sha256-sharded-8';
      return expectStatement(bundleOf(statement), 'OMS_RESOURCE_NAME');
    },
  );
});
