import { z } from 'zod';
import { maxApprovalLength } from './approval.ts';
import { maxBundleLength } from './bundle.ts';
import { parseShape } from './json.ts';
import { maxOwnerRootLength } from './owner-root.ts';
import { maxReleaseLength } from './release-document.ts';

/** Characters of manifest.json; approvals, and sets of owner keys, in a package. */
export const maxManifestLength = 16 * 1024 * 1024;
export const maxApprovals = 64;
export const maxOwnerSets = 64;

/** Everything that shows what a release is and who stands behind it: the exact texts of the files, ready for JSON. */
export const releasePackageSchema = z.strictObject({
  /** model.sig */
  bundle: z.string().max(maxBundleLength),
  /** manifest.json */
  manifest: z.string().max(maxManifestLength),
  /** release.json */
  release: z.string().max(maxReleaseLength),
  /** approvals/*.json */
  approvals: z.array(z.string().max(maxApprovalLength)).max(maxApprovals),
  /** owners/*.json: sets of owner keys that followed each other, for those who pin an earlier one. Not part of the signature. */
  owners: z.array(z.string().max(maxOwnerRootLength)).max(maxOwnerSets).exactOptional(),
});

export interface ReleasePackage {
  bundle: string;
  manifest: string;
  release: string;
  approvals: string[];
  owners?: string[];
}

/** Errors: RELEASE_PACKAGE_MALFORMED. */
export function parseReleasePackage(value: unknown): ReleasePackage {
  return parseShape(value, {
    schema: releasePackageSchema,
    code: 'RELEASE_PACKAGE_MALFORMED',
    what: 'The release package',
  });
}
