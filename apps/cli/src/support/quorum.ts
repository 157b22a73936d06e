import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { quorumOptionsSchema, type QuorumOptionsInput } from '@fastness/broker';
import { FastnessError } from '@fastness/codec/errors';
import { readJson, type Home } from './home.ts';

/**
 * The quorum of a home's broker: `policy/quorum.json` as `fastness proposal members` writes it. It names the first
 * members; later ones come by proposals. Without the file there is no quorum.
 */
export async function homeQuorum(home: Home): Promise<{ readonly quorum?: QuorumOptionsInput }> {
  const path = join(home.policyDirectory, 'quorum.json');
  if (!existsSync(path)) return {};
  const parsed = quorumOptionsSchema.safeParse({ membership: await readJson(path) });
  if (!parsed.success) throw new FastnessError('QUORUM_INVALID', path);
  return { quorum: parsed.data };
}
