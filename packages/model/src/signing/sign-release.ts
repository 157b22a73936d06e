import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { parseManifest } from '../manifest.ts';
import { packageFiles, unsignedFiles } from '../package-files.ts';
import { maxBundleLength } from '../release/bundle.ts';
import {
  checkReleaseShares,
  encodeRelease,
  maxReleaseLength,
  parseRelease,
  type Release,
} from '../release/release-document.ts';
import { maxManifestLength } from '../release/release-package.ts';
import { systemCode } from './io-error.ts';
import { listApprovals, readText } from './read-package.ts';
import { serializeModel, type SerializeOptions } from './serialize.ts';
import { checkCertificates, signSerialized, type SigningKey } from './sign-model.ts';
import { repositoryPaths } from './walk.ts';
import { writeTextFile } from './write-file.ts';

const releaseIgnorePaths = Object.freeze([...unsignedFiles, ...repositoryPaths]);

export interface SignReleaseOptions extends SigningKey, Pick<SerializeOptions, 'threads' | 'onProgress' | 'signal'> {
  /** The sealed model. */
  readonly dir: string;
  readonly release: Release;
}

export interface SignedRelease {
  /** 32 bytes: what approvers approve. */
  readonly releaseDigest: Uint8Array;
  /** Files that were approvals of an earlier release and were removed: an approval never carries over. */
  readonly removedApprovals: readonly string[];
}

/**
 * Writes release.json and model.sig into a sealed model, signed with the owner's key. A crash in between leaves a
 * release that does not verify, never a wrong one.
 * Errors: RELEASE_MALFORMED, RELEASE_MODEL_MISMATCH, RELEASE_SHARES_MISMATCH, RELEASE_VERSION_NOT_RISING, RELEASE_FILE_UNSIGNED,
 * RELEASE_FILE_UNLISTED, OMS_CERTIFICATE_*, those of `parseManifest`, `signModel`, `readReleasePackage` and of the key store.
 */
export async function signRelease(options: SignReleaseOptions): Promise<SignedRelease> {
  const { dir, release, keyStore, keyId, certificates } = options;
  const text = encodeRelease(release);
  const manifest = parseManifest(await readText(join(dir, packageFiles.manifest), maxManifestLength));
  if (manifest.modelId !== release.modelId) throw new FastnessError('RELEASE_MODEL_MISMATCH');
  checkReleaseShares(release, manifest);
  await checkVersionRises(dir, text, release.version);
  await checkCertificates(options);
  await writeTextFile(join(dir, packageFiles.release), text);
  const { threads, onProgress, signal } = options;
  const model = await serializeModel(dir, {
    ignorePaths: releaseIgnorePaths,
    ...(threads === undefined ? {} : { threads }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(signal === undefined ? {} : { signal }),
  });
  checkCovers(
    model.resources.map(({ name }) => name),
    manifest.files.map(({ sealedPath }) => sealedPath),
  );
  const { bundle, verified } = await signSerialized(model, {
    keyStore,
    keyId,
    ...(certificates === undefined ? {} : { certificates }),
  });
  const folder = join(dir, packageFiles.approvals);
  const removedApprovals = await listApprovals(folder);
  for (const name of removedApprovals) await rm(join(folder, name));
  await writeTextFile(join(dir, packageFiles.bundle), bundle);
  return { releaseDigest: verified.payloadDigest, removedApprovals };
}

/** What no verifier would accept is not signed in the first place. */
function checkCovers(signed: readonly string[], sealed: readonly string[]): void {
  const names = new Set(signed);
  if (!sealed.every((path) => names.has(path))) throw new FastnessError('RELEASE_FILE_UNSIGNED');
  const expected = new Set([packageFiles.manifest, packageFiles.release, ...sealed]);
  const stray = signed.find((name) => !expected.has(name));
  if (stray !== undefined) throw new FastnessError('RELEASE_FILE_UNLISTED', stray);
}

/** The same release may be signed again (with another key, say); a different one needs a higher version. */
async function checkVersionRises(dir: string, text: string, version: number): Promise<void> {
  const signed = await readIfPresent(join(dir, packageFiles.bundle), maxBundleLength);
  const before = await readIfPresent(join(dir, packageFiles.release), maxReleaseLength);
  if (signed === undefined || before === undefined || before === text) return;
  const last = parseRelease(before).version;
  if (version <= last) throw new FastnessError('RELEASE_VERSION_NOT_RISING', `Version ${version}, after ${last}.`);
}

async function readIfPresent(path: string, maxLength: number): Promise<string | undefined> {
  try {
    return await readText(path, maxLength);
  } catch (error) {
    if (error instanceof FastnessError && systemCode(error.cause) === 'ENOENT') return undefined;
    throw error;
  }
}
