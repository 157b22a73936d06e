import type { BrokerContext } from '../context.ts';
import { destroyDueKeys } from './destruction.ts';
import { refreshGovernance } from './in-force.ts';
import { dueRotations, rotateWrappingKey } from './rotation.ts';

/** What was due and is done. */
export interface Maintained {
  readonly rotated: readonly string[];
  readonly destroyed: readonly string[];
}

/** Does what is due, one call at a time: scheduled destructions, then scheduled rotations. */
export function createMaintenance(context: BrokerContext): () => Promise<Maintained> {
  let turn: Promise<unknown> = Promise.resolve();
  const work = async (): Promise<Maintained> => {
    await refreshGovernance(context);
    const destroyed = await destroyDueKeys(context);
    const rotated = await dueRotations(context);
    for (const keyId of rotated) await rotateWrappingKey(context, keyId);
    return { rotated, destroyed };
  };
  return () => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };
}
