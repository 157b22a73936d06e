import { FastnessError } from '@fastness/codec/errors';
import type { EndorsementSource } from '../source.ts';
import { requestOf } from '../subjects.ts';
import type { Endorsement } from '../types.ts';
import type { BundleItem, EndorsementBundle } from './format.ts';

/** What became of one item. */
export type Imported =
  | { readonly item: BundleItem; readonly endorsement: Endorsement }
  | { readonly item: BundleItem; readonly error: FastnessError };

/**
 * Judges every item of a bundle and keeps those that are authentic, current and not older than what was seen before. One
 * that is not is reported and keeps no other out: a list that has expired takes nothing away from the rest.
 */
export async function importEndorsementBundle(
  bundle: EndorsementBundle,
  source: EndorsementSource,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<readonly Imported[]> {
  const imported: Imported[] = [];
  for (const item of bundle.items) {
    try {
      imported.push({ item, endorsement: await source.put(requestOf(item.subject), item) });
    } catch (error) {
      if (!(error instanceof FastnessError)) throw error;
      // The directory, not the item, is at fault: every other would fail alike.
      if (error.code === 'ENDORSEMENT_CACHE_FAILED') throw error;
      imported.push({ item, error });
    }
    onProgress(imported.length, bundle.items.length);
  }
  return imported;
}
