import { execFile, execFileSync } from 'node:child_process';
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodePem, utf8Encode } from '@fastness/codec/bytes';
import { createSoftwareKeyStore, kdfBounds, type KeyStore } from '@fastness/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseOmsBundle, verifyOmsBundle } from '../src/release/index.ts';
import { signModel, verifyModel } from '../src/signing/index.ts';
import { authority, certSign, digitalSignature, makeCertificate, type Subject } from './certificate-support.ts';
import { expectCode, testKey } from './release-support.ts';

// The reference tool of OpenSSF Model Signing, `model_signing` of the Python package model-signing: not installed by anything
// here. FASTNESS_MODEL_SIGNING names it (`npm run test:oms-reference`).
const reference = process.env['FASTNESS_MODEL_SIGNING'] ?? '';
if (reference === '') {
  process.stderr.write('SKIPPED: our signatures in the reference tool. Next: npm run test:oms-reference\n');
}

const day = 86_400_000;
const current = { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + day) };
const root: Subject = { name: 'root', key: testKey('P-256') };
const rootCertificate = makeCertificate({
  subject: root,
  issuer: root,
  extensions: [authority(), certSign],
  ...current,
});

let folder: string;
let model: string;
let keyStore: KeyStore;
const at = (name: string): string => join(folder, name);

/** Runs the tool; the error of a run that fails has what it said. Its command verifies the method "files" alone, whoever signed. */
const run = (...args: readonly string[]) => promisify(execFile)(reference, args);
const verify = (method: string, ...args: readonly string[]) =>
  run('verify', method, '--signature', at('model.sig'), ...args, model);

describe.skipIf(reference === '')('the reference tool of OpenSSF Model Signing', () => {
  beforeAll(async () => {
    process.stderr.write(`Reference tool: ${execFileSync(reference, ['--version'], { encoding: 'utf8' })}`);
    folder = await mkdtemp(join(tmpdir(), 'fastness-oms-'));
    model = at('model');
    await mkdir(join(model, 'weights'), { recursive: true });
    await mkdir(join(model, '.git'));
    const files = {
      'config.json': '{}',
      'weights/a.bin': 'a'.repeat(3000),
      'weights-extra': 'x',
      empty: '',
      'имя ✓': 'unicode',
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(model, name), content);
    await writeFile(join(model, '.git/HEAD'), 'ref');
    const cost = { memory: kdfBounds.memory.min, passes: kdfBounds.passes.min, parallelism: 1 };
    keyStore = await createSoftwareKeyStore({ path: at('keys'), passphrase: utf8Encode('passphrase'), cost });
    for (const algorithm of ['P-256', 'P-384'] as const) {
      await keyStore.create({ id: algorithm.toLowerCase(), purpose: 'sign', algorithm });
      await writeFile(
        at(`${algorithm}.pem`),
        encodePem(await keyStore.publicKey(algorithm.toLowerCase()), 'PUBLIC KEY'),
      );
    }
    await writeFile(at('root.pem'), encodePem(rootCertificate, 'CERTIFICATE'));
  });
  afterAll(async () => {
    await keyStore[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  async function sign(keyId: 'P-256' | 'P-384', options: object = {}): Promise<string> {
    const { bundle } = await signModel({ root: model, keyStore, keyId: keyId.toLowerCase(), ...options });
    await writeFile(at('model.sig'), bundle);
    return bundle;
  }

  async function certificates(keyId: string): Promise<Uint8Array[]> {
    const subject: Subject = {
      name: 'owner',
      key: { spki: await keyStore.publicKey(keyId.toLowerCase()), sign: root.key.sign },
    };
    return [makeCertificate({ subject, issuer: root, extensions: [digitalSignature], ...current }), rootCertificate];
  }

  it.each([
    ['P-256', {}],
    ['P-384', {}],
    ['P-384', { ignorePaths: ['weights', 'empty'] }],
  ] as const)('accepts our signature by a key, %s %j', async (keyId, options) => {
    await sign(keyId, options);
    await verify('key', '--public_key', at(`${keyId}.pem`));
    await expect(verify('key', '--public_key', at(keyId === 'P-256' ? 'P-384.pem' : 'P-256.pem'))).rejects.toThrow();
  });

  it.each(['P-256', 'P-384'] as const)('accepts our signature by certificate, %s', async (keyId) => {
    await sign(keyId, { certificates: await certificates(keyId) });
    await verify('certificate', '--certificate_chain', at('root.pem'));
  });

  it('refuses our signature of what was changed since', async () => {
    await sign('P-384');
    await appendFile(join(model, 'weights/a.bin'), 'b');
    await expect(verify('key', '--public_key', at('P-384.pem'))).rejects.toThrow();
    await sign('P-384');
    await verify('key', '--public_key', at('P-384.pem'));
  });

  it('writes the bundles that we write, but for the signature and the order that it leaves open; we accept them', async () => {
    const key = testKey('P-384');
    const pem = (name: string, text: string | Buffer) => writeFile(at(name), text);
    await pem('foreign.key', key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const subject: Subject = { name: 'foreign', key };
    const leaf = makeCertificate({ subject, issuer: root, extensions: [digitalSignature], ...current });
    await pem('foreign.pem', encodePem(leaf, 'CERTIFICATE'));
    // A store that has this very key, so that only what the formats leave open may differ.
    const same: KeyStore = Object.create(keyStore, {
      publicKey: { value: () => Promise.resolve(key.spki) },
      sign: { value: (_: string, message: Uint8Array) => Promise.resolve(key.sign(message)) },
    });
    for (const method of ['key', 'certificate'] as const) {
      const chain = ['--signing_certificate', at('foreign.pem'), '--certificate_chain', at('root.pem')];
      await run(
        'sign',
        method,
        '--signature',
        at('theirs.sig'),
        '--private_key',
        at('foreign.key'),
        ...(method === 'key' ? [] : chain),
        model,
      );
      const theirs = await readFile(at('theirs.sig'), 'utf8');
      const { bundle: ours } = await signModel({
        root: model,
        keyStore: same,
        keyId: 'foreign',
        ...(method === 'key' ? {} : { certificates: [leaf, rootCertificate] }),
        ignorePaths: ['.git', '.gitattributes', '.github', '.gitignore'],
      });
      expect(withoutSigned(ours)).toBe(withoutSigned(theirs));
      expect(statementOf(ours)).toEqual(statementOf(theirs));
      const { statement } = await verifyOmsBundle({ bundle: theirs, publicKeys: [key.spki] });
      if (method === 'certificate')
        await verifyOmsBundle({ bundle: theirs, roots: [rootCertificate], now: new Date() });
      await verifyModel({ root: model, statement });
      await expectCode(verifyOmsBundle({ bundle: theirs, publicKeys: [root.key.spki] }), 'OMS_KEY_UNKNOWN');
    }
  });
});

/** The text of the bundle, byte for byte, without the payload and its signature. */
function withoutSigned(bundle: string): string {
  return bundle.replace(/"payload":"[^"]*"/, '"payload":""').replace(/"sig":"[^"]*"/, '"sig":""');
}

/** The reference tool writes the members of the predicate, and the ignored paths, in whatever order a hash table has. */
function statementOf(bundle: string): unknown {
  const statement = JSON.parse(Buffer.from(parseOmsBundle(bundle).envelope.payload).toString());
  statement.predicate.serialization.ignore_paths.sort();
  return statement;
}
