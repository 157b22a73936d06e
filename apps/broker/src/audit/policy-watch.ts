import type { ParsedBrokerPolicy } from '../policy.ts';
import { auditFacts } from './facts.ts';
import type { AuditEntry } from './entry.ts';
import type { AuditLog } from './log.ts';

/** Notices at the start that the policy is another one than before: a change of policy is an entry of its own. */
export interface PolicyWatch {
  /** To be given every entry of the log, in order. */
  see(entry: AuditEntry): void;
  record(audit: AuditLog, policy: ParsedBrokerPolicy): Promise<void>;
}

export function createPolicyWatch(): PolicyWatch {
  const digest = auditFacts.start.shape.policyDigest;
  let last: string | undefined;
  return {
    see({ kind, facts }) {
      if (kind === 'start' || kind === 'policy-changed') last = digest.parse(facts['policyDigest']);
    },
    async record(audit, { policy, digest: now }) {
      if (last === undefined || last === now) return;
      await audit.append('policy-configured', { policyId: policy.id, from: last, to: now });
    },
  };
}
