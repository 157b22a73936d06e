import { anyOf, type Checklist } from '../../checks.ts';
import type { AzureMaaClaims } from '../../claims/token.ts';
import type { AzureMaaPolicy } from '../../policy/azure-maa.ts';
import { requireListed } from '../token/appraise.ts';
import type { ClaimReader } from '../token/claims.ts';
import type { MaaTee } from './layout.ts';

/** What the service says about the TEE: debugging, measurement, and what else its kind has. */
export function appraiseTee(
  subject: {
    readonly claims: ClaimReader;
    readonly tee: MaaTee;
    readonly section: AzureMaaPolicy;
    readonly measurements: readonly string[];
  },
  checks: Checklist,
): Pick<AzureMaaClaims, 'debug' | 'measurement' | 'hostData'> {
  const { claims, tee, section, measurements } = subject;
  const debug = isDebuggable(claims, tee);
  checks.requireUnlessWaived('MAA_DEBUG', !debug, {
    expected: 'no debugging',
    actual: debug ? 'debugging is possible' : 'none',
  });
  const measurement = claims.hex(tee.measurement, tee.measurementBytes);
  checks.require('MAA_MEASUREMENT_NOT_ALLOWED', measurements.includes(measurement), {
    expected: anyOf(measurements),
    actual: measurement,
  });
  const isSnp = tee.tee === 'sev-snp';
  if (tee.tee === 'sgx' && section.signers !== undefined)
    requireListed('MAA_SIGNER_NOT_ALLOWED', claims.hex('x-ms-sgx-mrsigner', 32), section.signers, checks);
  else checks.notApplicable('MAA_SIGNER_NOT_ALLOWED', 'no enclave, or the policy lists none');
  appraiseRtmrs(claims, tee.tee === 'tdx' ? section.rtmrs : undefined, checks);
  if (!isSnp) {
    for (const code of ['MAA_MIGRATION', 'MAA_TCB_LOW', 'MAA_HOST_DATA_NOT_ALLOWED'] as const)
      checks.notApplicable(code, 'SEV-SNP only');
    return { debug, measurement };
  }
  return { debug, measurement, hostData: appraiseSnp(claims, section, checks) };
}

/** Every claim that can say so is heard; one that says nothing of the kind is missing, and refused by the reader. */
function isDebuggable(claims: ClaimReader, tee: MaaTee): boolean {
  return claims.boolean(tee.debug) || (claims.has('dbgstat') && claims.text('dbgstat') !== 'disabled');
}

function appraiseSnp(claims: ClaimReader, section: AzureMaaPolicy, checks: Checklist): string {
  const migratable = claims.boolean('x-ms-sevsnpvm-migration-allowed');
  checks.requireUnlessWaived('MAA_MIGRATION', !migratable, {
    expected: 'no migration agent',
    actual: migratable ? 'migration is allowed' : 'none',
  });
  const floors = [
    ['bootloader', 'x-ms-sevsnpvm-bootloader-svn'],
    ['tee', 'x-ms-sevsnpvm-tee-svn'],
    ['snp', 'x-ms-sevsnpvm-snpfw-svn'],
    ['microcode', 'x-ms-sevsnpvm-microcode-svn'],
  ] as const;
  if (section.minimumTcb === undefined) checks.notApplicable('MAA_TCB_LOW', 'the policy has no floors');
  for (const [component, claim] of floors) {
    const floor = section.minimumTcb?.[component];
    if (floor === undefined) continue;
    const svn = claims.integer(claim);
    checks.require('MAA_TCB_LOW', svn >= floor, { expected: `${component} at least ${floor}`, actual: `${svn}` });
  }
  const hostData = claims.hex('x-ms-sevsnpvm-hostdata', 32);
  requireListed('MAA_HOST_DATA_NOT_ALLOWED', hostData, section.hostData, checks);
  return hostData;
}

function appraiseRtmrs(claims: ClaimReader, rtmrs: AzureMaaPolicy['rtmrs'], checks: Checklist): void {
  if (rtmrs === undefined) checks.notApplicable('MAA_RTMR_NOT_ALLOWED', 'no TD, or the policy lists none');
  for (const index of [0, 1, 2, 3] as const) {
    const list = rtmrs?.[index];
    if (list !== undefined) requireListed('MAA_RTMR_NOT_ALLOWED', claims.hex(`tdx_rtmr${index}`, 48), list, checks);
  }
}
