import { snpPolicySchema } from './policy-snp.ts';
import type { PolicySectionName } from './tees.ts';

/** The schema of each section of a policy; a section that is absent refuses its TEE. */
export const policySections = Object.freeze({
  snp: snpPolicySchema.exactOptional(),
} satisfies Record<PolicySectionName, unknown>);

export const policySectionNames: readonly PolicySectionName[] = Object.freeze(['snp']);
