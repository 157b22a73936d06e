import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fromBase64Url, toHex, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { packageFiles, parseManifest, readReleasePackage, verifyModel, type Manifest } from '@fastness/model';
import {
  parseOmsBundle,
  parseRelease,
  parseStatement,
  releaseDigestOf,
  type ModelStatement,
  type Release,
  type ReleasePackage,
} from '@fastness/model/release';

/** A sealed model whose parts agree with each other. Who signed it is for the broker and for clients to judge. */
export interface SealedModel {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly release: Release;
  readonly releaseDigest: Uint8Array;
  /** SubjectPublicKeyInfo DER: whoever signs leases for this release. */
  readonly brokerKey: Uint8Array;
  readonly package: ReleasePackage;
}

/** Not covered by the owner's signature: rotation rewrites the one, approvals come after it. */
const unsigned = ['keys.json', packageFiles.approvals];

/**
 * Reads a sealed directory and checks all that can be checked without a key: structure, that the signed list of files is
 * the list in the manifest, and the digest of every file, over ciphertext. The directory is the host's; the texts are
 * read once, so that what was checked is what is used.
 *
 * Throws RELEASE_PACKAGE_MALFORMED, OMS_*, MANIFEST_*, RELEASE_MALFORMED, ENCLAVE_RELEASE_MISMATCH.
 */
export async function readSealed(dir: string, signal: AbortSignal): Promise<SealedModel> {
  const texts = await readReleasePackage(dir);
  const statement = await parseStatement(parseOmsBundle(texts.bundle).envelope.payload);
  requireSigned(statement, packageFiles.manifest, texts.manifest);
  requireSigned(statement, packageFiles.release, texts.release);
  const manifest = parseManifest(texts.manifest);
  const release = parseRelease(texts.release);
  if (release.modelId !== manifest.modelId) throw mismatch('release.json names another model than manifest.json.');
  const signed = new Set(statement.resources.map(({ name }) => name));
  const expected = [packageFiles.manifest, packageFiles.release, ...manifest.files.map(({ sealedPath }) => sealedPath)];
  const missing = expected.find((name) => !signed.has(name));
  if (missing !== undefined) throw mismatch(`${missing} is not signed.`);
  if (signed.size !== expected.length) throw mismatch(`${signed.size} files are signed; manifest.json needs ${expected.length}.`);
  await verifyModel({ root: dir, statement, signaturePath: join(dir, packageFiles.bundle), ignorePaths: unsigned, signal });
  return {
    dir,
    manifest,
    release,
    releaseDigest: await releaseDigestOf(texts.bundle),
    brokerKey: fromBase64Url(release.brokerKey),
    package: texts,
  };
}

function requireSigned(statement: ModelStatement, name: string, text: string): void {
  if (statement.serialization.method !== 'files') throw mismatch('It lists shards, not files.');
  const digest = toHex(createHash('sha256').update(utf8Encode(text)).digest());
  const resource = statement.resources.find((each) => each.name === name);
  if (resource === undefined) throw mismatch(`${name} is not signed.`);
  if (resource.digest !== digest) throw mismatch(`${name} was changed after signing.`);
}

function mismatch(detail: string): FastnessError {
  return new FastnessError('ENCLAVE_RELEASE_MISMATCH', detail);
}
