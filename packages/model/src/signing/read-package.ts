import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { utf8Decode } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import { packageFiles } from '../package-files.ts';
import { maxApprovalLength } from '../release/approval.ts';
import { maxBundleLength } from '../release/bundle.ts';
import { maxOwnerRootLength } from '../release/owner-root.ts';
import { maxReleaseLength } from '../release/release-document.ts';
import { maxApprovals, maxManifestLength, maxOwnerSets, type ReleasePackage } from '../release/release-package.ts';
import { asOmsError, systemCode } from './io-error.ts';

/**
 * Reads what shows that a sealed model was released, without verifying any of it.
 * Errors: RELEASE_PACKAGE_MALFORMED, OMS_IO.
 */
export async function readReleasePackage(dir: string): Promise<ReleasePackage> {
  const owners = await readOwnerSets(join(dir, packageFiles.owners));
  return {
    bundle: await readText(join(dir, packageFiles.bundle), maxBundleLength),
    manifest: await readText(join(dir, packageFiles.manifest), maxManifestLength),
    release: await readText(join(dir, packageFiles.release), maxReleaseLength),
    approvals: await readApprovals(join(dir, packageFiles.approvals)),
    ...(owners.length === 0 ? {} : { owners }),
  };
}

/** Signed sets of owner keys in a folder, `VERSION.json`, lowest version first; none when there is no folder. */
export async function readOwnerSets(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => /^[1-9]\d{0,8}\.json$/.test(name));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw asOmsError(error);
  }
  if (names.length > maxOwnerSets) {
    throw new FastnessError('RELEASE_PACKAGE_MALFORMED', `It has ${names.length} sets of owner keys.`);
  }
  const texts: string[] = [];
  for (const name of names.toSorted((a, b) => Number.parseInt(a) - Number.parseInt(b))) {
    texts.push(await readText(join(folder, name), maxOwnerRootLength));
  }
  return texts;
}

/** Names of the approvals in a folder, sorted; none when there is no folder. */
export async function listApprovals(folder: string): Promise<string[]> {
  try {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
    if (names.length > maxApprovals) {
      throw new FastnessError('RELEASE_PACKAGE_MALFORMED', `It has ${names.length} approvals.`);
    }
    return names.sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw asOmsError(error);
  }
}

/** Reads a regular UTF-8 file of at most `maxLength` bytes. Errors: RELEASE_PACKAGE_MALFORMED, OMS_FILE_CHANGED, OMS_IO. */
export async function readText(path: string, maxLength: number): Promise<string> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > maxLength) {
      throw new FastnessError('RELEASE_PACKAGE_MALFORMED', `${path} is no file of at most ${maxLength} bytes.`);
    }
    const bytes = new Uint8Array(stats.size);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead < bytes.length) throw new FastnessError('OMS_FILE_CHANGED', path);
    return decode(path, bytes);
  } catch (error) {
    throw asOmsError(error);
  }
}

async function readApprovals(folder: string): Promise<string[]> {
  const texts: string[] = [];
  for (const name of await listApprovals(folder)) texts.push(await readText(join(folder, name), maxApprovalLength));
  return texts;
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return utf8Decode(bytes);
  } catch (cause) {
    throw new FastnessError('RELEASE_PACKAGE_MALFORMED', `${path} is not UTF-8.`, { cause });
  }
}
