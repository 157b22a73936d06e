import { androidStatusRequest } from '../android-status.ts';
import type { Completed, CompleteOptions } from './types.ts';

/**
 * Google's status list. Nobody signs it, so a list that comes with evidence counts only where the policy pins its digest; one
 * that was fetched here is handed on with its time, for the anchors of the verifier.
 */
export async function completeAndroid(options: CompleteOptions): Promise<Completed> {
  const { endorsements, source, signal } = options;
  const given = { endorsements: [...endorsements], fetched: [] };
  if (endorsements.length > 0) return given;
  const list = await source.get(androidStatusRequest(), signal);
  return { ...given, fetched: [list], androidStatus: { json: list.item.body, fetchedAt: list.item.fetchedAt } };
}
