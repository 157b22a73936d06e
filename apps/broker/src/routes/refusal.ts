import { FastnessError } from '@fastness/codec/errors';
import type { AuditOperation } from '../audit/facts.ts';
import type { RefusalTrail } from '../authorise.ts';
import type { BrokerContext } from '../context.ts';

/**
 * Runs `work`; when it is refused, the audit log has the code before the client does. What could not be written is not
 * hidden either: then the client is told `AUDIT_UNAVAILABLE`.
 */
export async function recordingRefusal<T>(
  context: Pick<BrokerContext, 'noise'>,
  operation: () => AuditOperation,
  trail: RefusalTrail,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof FastnessError ? error.code : 'BROKER_INTERNAL';
    await context.noise.refused({ operation: operation(), code, ...trail });
    throw error;
  }
}
