import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8Encode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { KeyStore } from '@fastness/keys';
import { packageFiles } from '../package-files.ts';
import { approvalToSign, approverIdPattern, encodeApproval } from '../release/approval.ts';
import { parseOmsBundle } from '../release/bundle.ts';
import { sha256 } from '../release/digest.ts';
import { parseRelease, type Release } from '../release/release-document.ts';
import { parseStatement } from '../release/statement.ts';
import { verifyOmsBundle } from '../release/verify-bundle.ts';
import { importVerifyKey, keyIdOf, signatureFits } from '../release/verify-key.ts';
import { asOmsError } from './io-error.ts';
import { readReleasePackage } from './read-package.ts';
import { writeTextFile } from './write-file.ts';

export interface ApproveReleaseOptions {
  /** The sealed model. */
  readonly dir: string;
  /** The approver's id in the quorum; becomes the name of the file. */
  readonly approver: string;
  /** P-256, P-384 or Ed25519. */
  readonly keyStore: KeyStore;
  readonly keyId: string;
  readonly now: Date;
  /** The owner's public keys, SubjectPublicKeyInfo DER. Given, only a release that one of them signed is approved. */
  readonly ownerKeys?: readonly Uint8Array[];
}

export interface ApprovedRelease {
  /** 32 bytes. */
  readonly releaseDigest: Uint8Array;
  /** What was approved. */
  readonly release: Release;
  /** The file that was written. */
  readonly path: string;
}

/**
 * Approves the release of a sealed model: signs its digest and writes approvals/<approver>.json, replacing an earlier
 * approval by the same approver. It approves what manifest.json and release.json say; that they are the signed ones
 * is checked. The sealed files are not read.
 * Errors: APPROVAL_APPROVER_ID, RELEASE_MANIFEST_DIGEST, RELEASE_DOCUMENT_DIGEST, RELEASE_EXPIRED,
 * OMS_KEY_UNSUPPORTED, those of `readReleasePackage`, `parseOmsBundle`, `verifyOmsBundle` and of the key store.
 */
export async function approveRelease(options: ApproveReleaseOptions): Promise<ApprovedRelease> {
  const { dir, approver, keyStore, keyId, now, ownerKeys } = options;
  const texts = await readReleasePackage(dir);
  if (ownerKeys !== undefined) await verifyOmsBundle({ bundle: texts.bundle, publicKeys: ownerKeys });
  const { payload: statementBytes } = parseOmsBundle(texts.bundle).envelope;
  const { resources } = await parseStatement(statementBytes);
  const isSigned = async (name: string, text: string): Promise<boolean> => {
    const digest = toHex(await sha256(utf8Encode(text)));
    return resources.some((resource) => resource.name === name && resource.digest === digest);
  };
  if (!(await isSigned(packageFiles.manifest, texts.manifest))) throw new FastnessError('RELEASE_MANIFEST_DIGEST');
  if (!(await isSigned(packageFiles.release, texts.release))) throw new FastnessError('RELEASE_DOCUMENT_DIGEST');
  const release = parseRelease(texts.release);
  if (now.getTime() >= Date.parse(release.expires)) {
    throw new FastnessError('RELEASE_EXPIRED', `It ended at ${release.expires}.`);
  }
  const releaseDigest = await sha256(statementBytes);
  const text = await signApproval({ releaseDigest, approver, keyStore, keyId, now });
  // `signApproval` refused ids that would lead out of the folder.
  const path = join(dir, packageFiles.approvals, `${approver}.json`);
  await mkdir(join(dir, packageFiles.approvals), { recursive: true }).catch((error: unknown) => {
    throw asOmsError(error);
  });
  await writeTextFile(path, text);
  return { releaseDigest, release, path };
}

/**
 * The text of an approval, for approvers who hold the digest and not the model.
 * Errors: APPROVAL_APPROVER_ID, OMS_KEY_UNSUPPORTED and those of the key store.
 */
export async function signApproval(options: {
  /** 32 bytes. */
  readonly releaseDigest: Uint8Array;
  readonly approver: string;
  readonly keyStore: KeyStore;
  readonly keyId: string;
  readonly now: Date;
}): Promise<string> {
  const { releaseDigest, approver, keyStore, keyId, now } = options;
  if (!approverIdPattern.test(approver)) throw new FastnessError('APPROVAL_APPROVER_ID');
  const { payload, signed } = approvalToSign({
    format: 'fastness/approval/v1',
    releaseDigest: toHex(releaseDigest),
    approver,
    decision: 'approve',
    at: now.toISOString(),
  });
  const publicKey = await keyStore.publicKey(keyId);
  const key = await importVerifyKey(publicKey, ['P-256', 'P-384', 'Ed25519']);
  const signature = await keyStore.sign(keyId, signed);
  if (!(await signatureFits(key, signature, signed))) throw new FastnessError('APPROVAL_SIGNATURE', approver);
  return encodeApproval(payload, signature, await keyIdOf(publicKey));
}
