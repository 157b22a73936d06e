import { anyOf, type Checklist } from '../../checks.ts';
import type { AzureMaaPolicy } from '../../policy/azure-maa.ts';
import type { ClaimReader } from '../token/claims.ts';
import type { MaaTee } from './layout.ts';

const COMPLIANT = Object.freeze(['azure-compliant-cvm']);

/** What the service says about the virtual machine as a whole. Returns its compliance status; SGX enclaves have none. */
export function appraiseGuest(
  subject: {
    readonly outer: ClaimReader;
    readonly claims: ClaimReader;
    readonly tee: MaaTee;
    readonly nested: boolean;
    readonly section: AzureMaaPolicy;
  },
  checks: Checklist,
): string | undefined {
  const { outer, claims, tee, nested, section } = subject;
  appraiseBoot(outer, nested && section.secureBoot !== 'any', checks);
  if (tee.tee === 'sgx') {
    checks.notApplicable('MAA_NOT_COMPLIANT', 'an enclave has no compliance status');
    return undefined;
  }
  const accepted = section.complianceStatuses ?? COMPLIANT;
  const status = claims.has('x-ms-compliance-status') ? claims.text('x-ms-compliance-status') : 'no status';
  checks.require('MAA_NOT_COMPLIANT', accepted.includes(status), { expected: anyOf(accepted), actual: status });
  return status;
}

function appraiseBoot(outer: ClaimReader, required: boolean, checks: Checklist): void {
  if (!required) {
    checks.notApplicable('MAA_SECURE_BOOT', 'no nested guest, or the policy accepts any boot');
    return;
  }
  const secure = outer.has('secureboot') && outer.boolean('secureboot');
  const undebugged = outer.has('x-ms-azurevm-debuggersdisabled') && outer.boolean('x-ms-azurevm-debuggersdisabled');
  checks.require('MAA_SECURE_BOOT', secure && undebugged, {
    expected: 'Secure Boot, and debuggers disabled',
    actual: `${secure ? 'Secure Boot' : 'no Secure Boot'}, debuggers ${undebugged ? 'disabled' : 'not disabled'}`,
  });
}
