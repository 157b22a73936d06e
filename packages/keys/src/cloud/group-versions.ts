import type { KeyAlgorithm, KeyPurpose } from '../key-store.ts';
import type { CloudKey, CloudVersion } from './backend.ts';

export interface FoundVersion extends CloudVersion {
  readonly id: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
}

/**
 * Groups versions into keys. Where versions of one key do not agree on what it is for, or one number is there twice,
 * none of them can be used: somebody put a key of another kind in place.
 */
export function groupVersions(found: readonly FoundVersion[]): CloudKey[] {
  const groups = Map.groupBy(found, ({ id }) => id);
  return [...groups.entries()].flatMap(([id, members]) => {
    const sorted = members.toSorted((left, right) => left.version - right.version);
    const [first] = sorted;
    if (first === undefined) return [];
    const { purpose, algorithm } = first;
    const consistent =
      new Set(sorted.map(({ version }) => version)).size === sorted.length &&
      sorted.every((member) => member.purpose === purpose && member.algorithm === algorithm) &&
      (purpose === 'wrap' || sorted.length === 1);
    const versions = sorted.map(({ version, ref, state, createdAt }) => ({
      version,
      ref,
      state: consistent ? state : ('unusable' as const),
      createdAt,
    }));
    return [{ id, purpose, algorithm, versions }];
  });
}
