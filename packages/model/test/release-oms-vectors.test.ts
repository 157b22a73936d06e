import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { decodePem, utf8Decode } from '@fastness/codec/bytes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseOmsBundle, verifyOmsBundle } from '../src/release/index.ts';
import { encodeStatement } from '../src/release/statement.ts';
import { serializeModel, verifyModel, type SerializeOptions } from '../src/signing/index.ts';
import { expectCode, hasOmsVectors, omsVectors } from './release-support.ts';

const now = new Date('2026-11-23T00:00:00Z');
const versions = ['v0.3.1', 'v1.0.0', 'v1.0.1'] as const;
const bundleOf = (name: string) => readFile(join(omsVectors, name, 'model.sig'), 'utf8');
const pemOf = async (name: string, label: string) =>
  decodePem(await readFile(join(omsVectors, 'keys', name), 'utf8'), label);

describe.skipIf(!hasOmsVectors)(
  'signatures by the reference tool (skipped where the vectors are not installed)',
  () => {
    it.each(versions)('%s: key signature and model', async (version) => {
      const name = `${version}-elliptic-key`;
      const publicKeys = await pemOf('signing-key-pub.pem', 'PUBLIC KEY');
      const { statement, signer } = await verifyOmsBundle({ bundle: await bundleOf(name), publicKeys });
      expect(signer).toMatchObject({ method: 'key', signatureIndex: 0 });
      // Up to 1.0.0 the signed model is the single file; from 1.0.1 on it is the folder.
      const root = version === 'v1.0.1' ? join(omsVectors, name) : join(omsVectors, name, 'signme-1');
      const options = { root, statement, signaturePath: join(omsVectors, name, 'model.sig') };
      if (version === 'v1.0.1') await expectCode(verifyModel(options), 'OMS_UNSIGNED_FILE');
      const { files } = await verifyModel({ ...options, ignorePaths: ['ignore-me'] });
      expect(files).toBe(statement.resources.length);
    });

    it.each(versions)('%s: certificate signature and model', async (version) => {
      const name = `${version}-certificate`;
      const roots = await pemOf('ca-cert.pem', 'CERTIFICATE');
      const { statement, signer } = await verifyOmsBundle({ bundle: await bundleOf(name), roots, now });
      expect(signer).toMatchObject({ method: 'certificate', commonName: 'intermediate-ca' });
      const options = { root: join(omsVectors, name), statement, signaturePath: join(omsVectors, name, 'model.sig') };
      expect(await verifyModel({ ...options, ignorePaths: ['ignore-me'] })).toMatchObject({ files: 2 });
    });

    it('refuses a certificate chain outside its time, unless told to take the certificate’s own start', async () => {
      const bundle = await bundleOf('v1.0.1-certificate');
      const roots = await pemOf('ca-cert.pem', 'CERTIFICATE');
      const later = { bundle, roots, now: new Date('2036-01-01T00:00:00Z') };
      await expectCode(verifyOmsBundle(later), 'OMS_CERTIFICATE_TIME');
      await expectCode(verifyOmsBundle({ ...later, now: new Date('2025-01-01T00:00:00Z') }), 'OMS_CERTIFICATE_TIME');
      await verifyOmsBundle({ ...later, chainValidAt: 'unattested-not-before' });
    });

    it('accepts the intermediate authority as the root when the caller pins it', async () => {
      const roots = await pemOf('int-ca-cert.pem', 'CERTIFICATE');
      await verifyOmsBundle({ bundle: await bundleOf('v1.0.1-certificate'), roots, now });
    });

    it.each(['v0.3.1-sigstore', 'v1.0.0-sigstore', 'v1.0.1-sigstore'])(
      '%s: read, and refused by name',
      async (name) => {
        const bundle = await bundleOf(name);
        const publicKeys = await pemOf('signing-key-pub.pem', 'PUBLIC KEY');
        const roots = await pemOf('ca-cert.pem', 'CERTIFICATE');
        expect(parseOmsBundle(bundle).method.kind).toBe('sigstore');
        await expectCode(verifyOmsBundle({ bundle, publicKeys }), 'OMS_METHOD_UNSUPPORTED');
        await expectCode(verifyOmsBundle({ bundle, roots, now }), 'OMS_METHOD_UNSUPPORTED');
      },
    );

    it('refuses the envelope from before 1.0', async () => {
      const bundle = await bundleOf('v0.2.0-certificate');
      const roots = await pemOf('ca-cert.pem', 'CERTIFICATE');
      await expectCode(verifyOmsBundle({ bundle, roots, now }), 'OMS_PRE_1_0');
    });

    it('finds a file that is not the signed one', async () => {
      const publicKeys = await pemOf('signing-key-pub.pem', 'PUBLIC KEY');
      const { statement } = await verifyOmsBundle({ bundle: await bundleOf('v1.0.0-elliptic-key'), publicKeys });
      // Signed with a line feed at its end; the other folder's file has none.
      const root = join(omsVectors, 'v1.0.0-certificate', 'signme-1');
      await expectCode(verifyModel({ root, statement }), 'OMS_DIGEST_MISMATCH');
    });
  },
);

/** The models from which the reference tool's golden files were made. */
const goldenModels: Record<string, { name: string; files: Record<string, string>; single?: true; link?: true }> = {
  sample_model_file: { name: 'file_model', files: { '.': 'This is a simple model' }, single: true },
  empty_model_file: { name: 'empty_file_model', files: { '.': '' }, single: true },
  sample_model_folder: {
    name: 'sample_model',
    files: {
      ...Object.fromEntries(
        [0, 1].flatMap((i) => [0, 1, 2].map((j) => [`d${i}/f${i}${j}`, `This is file f${i}${j} in d${i}.`])),
      ),
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`f${i}`, `This is file f${i} in root.`])),
    },
  },
  deep_model_folder: {
    name: 'deep_model',
    files: Object.fromEntries([0, 1, 2, 3].map((i) => [`d0/d1/d2/d3/d4/f${i}`, `This is file f${i}.`])),
  },
  empty_model_folder: { name: 'empty_folder_model', files: {} },
  model_folder_with_empty_file: { name: 'empty_file_inside_model', files: { empty_file: '' } },
  symlink_model_folder: { name: 'symlink_model', files: { symlink_file: 'This is a simple model' }, link: true },
};

const variants: readonly { suffix: string; folder: string; payload: string; options: SerializeOptions }[] = [
  { suffix: '', folder: 'file', payload: '', options: { method: 'files' } },
  { suffix: '', folder: 'file_shard', payload: '_shard', options: { method: 'shards' } },
  {
    suffix: '_small_shards',
    folder: 'file_shard',
    payload: '_small_shards',
    options: { method: 'shards', shardSize: 8 },
  },
];

describe.skipIf(!hasOmsVectors)('golden files of the reference tool (skipped where not installed)', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-oms-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function makeModel(model: string): Promise<string> {
    const { name, files, single, link } = goldenModels[model] ?? { name: model, files: {} };
    const root = join(folder, name);
    if (single) {
      await writeFile(root, files['.'] ?? '');
      return root;
    }
    await mkdir(root);
    for (const [path, content] of Object.entries(files)) {
      const target = link ? join(folder, 'external') : join(root, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
      if (link) await symlink(target, join(root, path));
    }
    return root;
  }

  const cases = Object.keys(goldenModels).flatMap((model) => variants.map((variant) => ({ model, variant })));

  it.each(cases)('$model as $variant.folder$variant.payload', async ({ model, variant }) => {
    const { suffix, folder: kind, payload, options } = variant;
    const serialized = await serializeModel(await makeModel(model), { ...options, allowSymlinks: true });
    const lines = serialized.resources.map(({ name, digest }) => `${name}:${digest}\n`).join('');
    const golden = join(omsVectors, 'golden/serialization', kind, 'TestSerializer', `${model}${suffix}`);
    expect(lines).toBe(await readFile(golden, 'utf8'));

    const statement = utf8Decode(await encodeStatement(serialized));
    const goldenPayload = join(omsVectors, 'golden/signing/signing/TestPayload', `${model}${payload}`);
    // Protocol buffers write the shard size as a floating-point number, the same as JSON; the final line feed is the
    // golden file's own, real signatures do not cover one.
    const text = await readFile(goldenPayload, 'utf8');
    const expected = text.replace(/("shard_size": \d+)\.0/, '$1').replace(/\n$/, '');
    expect(statement).toBe(expected);
  });
});
