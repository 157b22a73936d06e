import { createHash } from 'node:crypto';
import { utf8Encode } from '@fastness/codec';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { packageFiles, parseManifest, readReleasePackage, verifySealedFiles, type Manifest } from '@fastness/model';
import {
  brokersOf,
  checkReleaseShares,
  parseOmsBundle,
  parseRelease,
  parseStatement,
  releaseDigestOf,
  type ModelStatement,
  type Release,
  type ReleaseBroker,
  type ReleasePackage,
} from '@fastness/model/release';

/** A sealed model whose parts agree with each other. Who signed it is for the broker and for clients to judge. */
export interface SealedModel {
  readonly dir: string;
  readonly manifest: Manifest;
  readonly release: Release;
  readonly releaseDigest: Uint8Array;
  /** Whoever signs leases for this release: one broker with the whole key, or several with a share each. */
  readonly brokers: readonly ReleaseBroker[];
  readonly package: ReleasePackage;
}

/**
 * Reads a sealed directory and checks all that can be checked without a key: structure, that the signed list of files is
 * the list in the manifest, and the digest of every file, over ciphertext. The directory is the host's; the texts are
 * read once, so that what was checked is what is used.
 *
 * Throws RELEASE_PACKAGE_MALFORMED, RELEASE_MALFORMED, RELEASE_*_DIGEST, RELEASE_MODEL_MISMATCH, RELEASE_SHARES_MISMATCH, RELEASE_FILE_*,
 * MANIFEST_*, OMS_*.
 */
export async function readSealed(dir: string, signal: AbortSignal): Promise<SealedModel> {
  const texts = await readReleasePackage(dir);
  const statement = await parseStatement(parseOmsBundle(texts.bundle).envelope.payload);
  requireSigned(statement, packageFiles.manifest, texts.manifest, 'RELEASE_MANIFEST_DIGEST');
  requireSigned(statement, packageFiles.release, texts.release, 'RELEASE_DOCUMENT_DIGEST');
  const manifest = parseManifest(texts.manifest);
  const release = parseRelease(texts.release);
  if (release.modelId !== manifest.modelId) throw new FastnessError('RELEASE_MODEL_MISMATCH');
  checkReleaseShares(release, manifest);
  requireSameFiles(statement, manifest);
  await verifySealedFiles({ dir, resources: statement.resources, signal });
  return {
    dir,
    manifest,
    release,
    releaseDigest: await releaseDigestOf(texts.bundle),
    brokers: brokersOf(release),
    package: texts,
  };
}

/** The text that was read is the text that was signed, whatever the file holds a moment later. */
function requireSigned(statement: ModelStatement, name: string, text: string, code: ErrorCode): void {
  const digest = createHash('sha256').update(utf8Encode(text)).digest('hex');
  if (statement.resources.find((resource) => resource.name === name)?.digest !== digest) throw new FastnessError(code);
}

function requireSameFiles(statement: ModelStatement, manifest: Manifest): void {
  const signed = new Set(statement.resources.map(({ name }) => name));
  for (const { sealedPath } of manifest.files) {
    if (!signed.delete(sealedPath)) throw new FastnessError('RELEASE_FILE_UNSIGNED', JSON.stringify(sealedPath));
  }
  for (const name of [packageFiles.manifest, packageFiles.release]) signed.delete(name);
  const [unlisted] = signed;
  if (unlisted !== undefined) throw new FastnessError('RELEASE_FILE_UNLISTED', JSON.stringify(unlisted));
}
