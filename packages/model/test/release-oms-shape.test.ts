import { readFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSoftwareKeyStore } from '@fastness/keys';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serializeModel } from '../src/signing/serialize.ts';
import { signSerialized } from '../src/signing/sign-model.ts';
import { hasOmsVectors, omsVectors } from './release-support.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-oms-shape-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Paths of all members, with `[]` for every element of a list. */
function shapeOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((each: unknown) => shapeOf(each, `${path}[]`)))];
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`];
  return Object.entries(value)
    .flatMap(([name, member]) => shapeOf(member, `${path}/${name}`))
    .toSorted();
}

function partsOf(text: string): { bundle: unknown; statement: Record<string, unknown> } {
  const bundle: { dsseEnvelope: { payload: string } } = JSON.parse(text);
  return { bundle, statement: JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString()) };
}

// The reference tool itself was not run: these are bundles that it wrote.
it.skipIf(!hasOmsVectors)('a bundle of ours is made of what the reference tool writes', async () => {
  const root = join(omsVectors, 'v1.0.1-elliptic-key');
  const theirs = partsOf(await readFile(join(root, 'model.sig'), 'utf8'));
  const cost = { memory: 19_456, passes: 2, parallelism: 1 };
  const passphrase = new TextEncoder().encode('a passphrase for tests only');
  await using keyStore = await createSoftwareKeyStore({ path: join(folder, 'keys'), passphrase, cost });
  await keyStore.create({ id: 'owner', purpose: 'sign', algorithm: 'P-384' });
  const model = await serializeModel(root, { ignorePaths: ['model.sig', 'ignore-me'] });
  const ours = partsOf((await signSerialized(model, { keyStore, keyId: 'owner' })).bundle);
  // Subject, digests and order are fixed by the format; signatures and keys are whose they are.
  expect(ours.statement['subject']).toEqual(theirs.statement['subject']);
  expect(ours.statement['predicate']).toMatchObject(JSON.parse(JSON.stringify(theirs.statement['predicate'])));
  for (const member of ['_type', 'predicateType']) expect(ours.statement[member]).toBe(theirs.statement[member]);
  // Up to 1.0.1 the tool put the key itself, and null for a key id, where Sigstore's bundle 0.3 has a hint, and DSSE a text.
  const key = '/verificationMaterial/publicKey/';
  const id = '/dsseEnvelope/signatures[]/keyid: ';
  const without = (shape: string[]): string[] =>
    shape.filter((member) => !member.startsWith(key) && !member.startsWith(id));
  expect(without(shapeOf(ours.bundle))).toEqual(without(shapeOf(theirs.bundle)));
  expect(shapeOf(ours.bundle)).toEqual(expect.arrayContaining([`${key}hint: string`, `${id}string`]));
});
