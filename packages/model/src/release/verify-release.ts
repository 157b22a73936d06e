import { toHex, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { parseManifest, type Manifest } from '../manifest.ts';
import { clockToleranceMs } from './clock-tolerance.ts';
import { sha256 } from './digest.ts';
import { verifyApprovals, type Quorum } from './quorum.ts';
import { checkReleaseShares, parseRelease, type Release } from './release-document.ts';
import { parseReleasePackage, type ReleasePackage } from './release-package.ts';
import type { Resource, Serialization } from './statement.ts';
import { verifyOmsBundle, type VerifiedOms } from './verify-bundle.ts';

export interface VerifyReleaseOptions {
  readonly package: ReleasePackage;
  /** The owner's public keys, SubjectPublicKeyInfo DER: P-256, P-384 or P-521. One of them must have signed. */
  readonly ownerKeys: readonly Uint8Array[];
  readonly quorum: Quorum;
  readonly now: Date;
  /** The highest version already accepted; anything lower is refused. Absent: no version was accepted before. */
  readonly minimumVersion?: number;
}

/** A release that its owner signed, its approvers approved, and that is valid now. */
export interface VerifiedRelease {
  /** SHA-256 of the signed payload, 32 bytes: the name of this release in evidence, leases and receipts. */
  readonly releaseDigest: Uint8Array;
  readonly manifest: Manifest;
  readonly release: Release;
  /** Ids of the approvers, sorted. */
  readonly approvedBy: string[];
  /** Hex SHA-256 of the owner's public key as PEM. */
  readonly ownerKeyId: string;
  /** What the owner signed, with SHA-256 in hex: manifest.json, release.json and every sealed file. */
  readonly resources: readonly Resource[];
}

/**
 * Verifies a release package: the owner's signature, that the texts are the signed ones and agree with each other,
 * the time (`notBefore` and approvals up to `clockToleranceMs` ahead), the version, the approvals. Sealed files are not read; compare them with `resources`.
 * Errors: RELEASE_*, APPROVAL_*, and those of `parseOmsBundle` and `parseManifest`.
 */
export async function verifyRelease(options: VerifyReleaseOptions): Promise<VerifiedRelease> {
  const texts = parseReleasePackage(options.package);
  const { statement, payloadDigest, signer } = await verifyOwner(texts.bundle, options.ownerKeys);
  checkSerialization(statement.serialization);
  const digests = new Map(statement.resources.map(({ name, digest }) => [name, digest]));
  await checkSigned(digests, 'manifest.json', texts.manifest, 'RELEASE_MANIFEST_DIGEST');
  await checkSigned(digests, 'release.json', texts.release, 'RELEASE_DOCUMENT_DIGEST');
  const manifest = parseManifest(texts.manifest);
  const release = parseRelease(texts.release);
  if (release.modelId !== manifest.modelId) throw new FastnessError('RELEASE_MODEL_MISMATCH');
  checkReleaseShares(release, manifest);
  checkFiles(digests, manifest);
  checkTime(release, options.now);
  const { minimumVersion } = options;
  if (minimumVersion !== undefined && release.version < minimumVersion) {
    throw new FastnessError('RELEASE_VERSION_ROLLBACK', `Version ${release.version}, after ${minimumVersion}.`);
  }
  const approvedBy = await verifyApprovals({
    approvals: texts.approvals,
    quorum: options.quorum,
    releaseDigest: toHex(payloadDigest),
    now: options.now,
  });
  return {
    releaseDigest: payloadDigest,
    manifest,
    release,
    approvedBy,
    ownerKeyId: signer.keyId,
    resources: statement.resources,
  };
}

async function verifyOwner(bundle: string, publicKeys: readonly Uint8Array[]): Promise<VerifiedOms> {
  if (publicKeys.length === 0) throw new FastnessError('RELEASE_OWNER_KEYS');
  try {
    return await verifyOmsBundle({ bundle, publicKeys });
  } catch (cause) {
    if (!(cause instanceof FastnessError)) throw cause;
    if (cause.code === 'OMS_SIGNATURE') throw new FastnessError('RELEASE_SIGNATURE', undefined, { cause });
    if (cause.code === 'OMS_KEY_UNKNOWN') throw new FastnessError('RELEASE_OWNER_UNKNOWN', undefined, { cause });
    throw cause;
  }
}

/** A release is read by name and digest of whole files; anything else would leave room for interpretation. */
function checkSerialization({ method, allowSymlinks }: Serialization): void {
  if (method !== 'files' || allowSymlinks) throw new FastnessError('RELEASE_SERIALIZATION');
}

async function checkSigned(
  digests: ReadonlyMap<string, string>,
  name: string,
  text: string,
  code: ErrorCode,
): Promise<void> {
  const digest = digests.get(name);
  if (digest === undefined) throw new FastnessError('RELEASE_RESOURCE_MISSING', name);
  if (!text.isWellFormed() || toHex(await sha256(utf8Encode(text))) !== digest) throw new FastnessError(code);
}

function checkFiles(digests: ReadonlyMap<string, string>, manifest: Manifest): void {
  const listed = new Set(['manifest.json', 'release.json']);
  for (const { sealedPath } of manifest.files) {
    if (!digests.has(sealedPath)) throw new FastnessError('RELEASE_FILE_UNSIGNED');
    listed.add(sealedPath);
  }
  for (const name of digests.keys()) if (!listed.has(name)) throw new FastnessError('RELEASE_FILE_UNLISTED');
}

function checkTime(release: Release, now: Date): void {
  const time = now.getTime();
  if (!Number.isFinite(time)) throw new FastnessError('RELEASE_NOT_YET_VALID', 'The time given is not a time.');
  if (time + clockToleranceMs < Date.parse(release.notBefore)) {
    throw new FastnessError('RELEASE_NOT_YET_VALID', `It begins at ${release.notBefore}.`);
  }
  if (time >= Date.parse(release.expires))
    throw new FastnessError('RELEASE_EXPIRED', `It ended at ${release.expires}.`);
}
