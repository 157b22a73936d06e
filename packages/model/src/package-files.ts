import { accessFile } from './access/access-document.ts';

/** Names inside a sealed model. */
export const packageFiles = Object.freeze({
  bundle: 'model.sig',
  manifest: 'manifest.json',
  release: 'release.json',
  approvals: 'approvals',
  owners: 'owners',
} as const);

/**
 * What a release's signature leaves out. keys.json is rewritten by rotation, and FLOE commits each sealed file to its key;
 * approvals are made from the signature, and sets of owner keys and access.json have signatures of their own.
 */
export const unsignedFiles: readonly string[] = Object.freeze([
  packageFiles.bundle,
  'keys.json',
  packageFiles.approvals,
  packageFiles.owners,
  accessFile,
]);
