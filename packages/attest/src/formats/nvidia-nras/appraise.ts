import { toHex, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { Checklist } from '../../checks.ts';
import type { NrasDevice } from '../../claims/token.ts';
import { parseAttestationPolicy, sectionOf, type AttestationPolicy } from '../../policy/policy.ts';
import { verdictOf, type AttestationVerdict } from '../../verdict.ts';
import { requireBinding, requireUse, tokenFacts } from '../token/appraise.ts';
import { ClaimReader } from '../token/claims.ts';
import { sha256Hex } from '../../digest.ts';
import { AuthenticToken } from '../token/stages.ts';
import { appraiseDevice } from './appraise-device.ts';
import { appraiseFleet } from './appraise-fleet.ts';
import { NONCE_BYTES, NRAS_SUBJECT, nrasVersions } from './layout.ts';
import { requireSubmodules } from './submodules.ts';

/**
 * Applies a policy to an authentic detached EAT. `expectedReportData` (32 bytes) must be the nonce of the overall token and of
 * every device, which is the nonce that the devices themselves signed.
 *
 * An accepted EAT means that NVIDIA's service says so. It says nothing about the machine that the devices sit in: bind the
 * digest of this evidence into that of the CPU. Throws the TOKEN_ or NRAS_ code of the first requirement that is not met,
 * ATTEST_....
 */
export async function appraise(
  authentic: AuthenticToken,
  options: { readonly policy: AttestationPolicy; readonly expectedReportData: Uint8Array },
): Promise<AttestationVerdict> {
  AuthenticToken.require(authentic, 'nvidia-nras');
  const { expectedReportData } = options;
  if (!(expectedReportData instanceof Uint8Array) || expectedReportData.length !== NONCE_BYTES)
    throw new FastnessError('ATTEST_ARGUMENT_INVALID', `expectedReportData must be ${NONCE_BYTES} bytes.`);
  const policy = parseAttestationPolicy(options.policy);
  const section = sectionOf(policy, 'nvidiaNras');
  const checks: Checklist = new Checklist(policy.waivers, authentic);
  const claims = new ClaimReader(authentic.claims, 'NRAS_CLAIM', checks);

  const bound = { claim: 'eat_nonce', value: authentic.claims['eat_nonce'], encoding: 'hex' } as const;
  const reportData = requireBinding(bound, expectedReportData, NONCE_BYTES, checks);
  requireUse(authentic, section, checks);
  const version = claims.text('x-nvidia-ver');
  const subject = claims.text('sub');
  checks.require('NRAS_VERSION', nrasVersions.has(version) && subject === NRAS_SUBJECT, {
    expected: `${[...nrasVersions].join(' or ')} of ${NRAS_SUBJECT}`,
    actual: `${version.slice(0, 32)} of ${subject.slice(0, 64)}`,
  });
  const overall = claims.boolean('x-nvidia-overall-att-result');
  checks.require('NRAS_OVERALL', overall, { expected: 'success', actual: overall ? 'success' : 'failure' });
  requireSubmodules(authentic, claims, checks);
  const devices = [...authentic.parts].map(([name, part]) =>
    appraiseDevice(name, part, { section, reportData }, checks),
  );
  appraiseFleet(devices, section, checks);

  return verdictOf(
    Object.freeze({
      tee: 'nvidia-nras',
      simulated: false,
      vendor: 'NVIDIA',
      identity: Object.freeze({
        kind: 'ueid',
        value: devices
          .map(({ ueid }) => ueid)
          .toSorted()
          .join(','),
      } as const),
      measurement: await measurementOf(devices),
      debug: devices.some(({ debug }) => debug),
      devices: Object.freeze(devices),
      reportData: toHex(expectedReportData),
      ...tokenFacts(authentic),
    } as const),
    checks,
    policy,
  );
}

async function measurementOf(devices: readonly NrasDevice[]): Promise<string> {
  const lines = devices.map(({ kind, model, driver, firmware }) => `${kind} ${model} ${driver ?? '-'} ${firmware}\n`);
  return sha256Hex(utf8Encode(lines.toSorted().join('')));
}
