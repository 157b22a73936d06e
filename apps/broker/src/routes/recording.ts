import type { AuditOperation } from '../audit/facts.ts';
import type { RefusalTrail } from '../authorise.ts';
import type { BrokerContext } from '../context.ts';
import { recordingRefusal } from './refusal.ts';

/** Runs what an administrator asked for; a refusal is in the audit log before its answer. */
export type RecordingAdmin = <T>(operation: AuditOperation, work: (trail: RefusalTrail) => Promise<T>) => Promise<T>;

export function recordingAdmin(context: Pick<BrokerContext, 'noise'>): RecordingAdmin {
  return async (operation, work) => {
    const trail: RefusalTrail = {};
    return await recordingRefusal(
      context,
      () => operation,
      trail,
      () => work(trail),
    );
  };
}
