import { anyOf, type Checklist } from '../../checks.ts';
import type { GcpConfidentialSpaceClaims } from '../../claims/token.ts';
import type { GcpConfidentialSpacePolicy } from '../../policy/gcp-confidential-space.ts';
import { isJsonObject } from '../../jws/json.ts';
import type { ClaimReader } from '../token/claims.ts';
import { GCS_NOT_DEBUGGED, GCS_OEM, GCS_PROFILE, GCS_SOFTWARE } from './layout.ts';

/** What Google says about the machine and the image of Confidential Space that it booted. */
export function appraiseImage(
  claims: ClaimReader,
  section: GcpConfidentialSpacePolicy,
  checks: Checklist,
): Pick<GcpConfidentialSpaceClaims, 'hardware' | 'imageVersion' | 'supportAttributes' | 'debug'> {
  const profile = claims.text('eat_profile');
  const oem = claims.integer('oemid');
  checks.require('GCS_PROFILE', profile === GCS_PROFILE && oem === GCS_OEM, {
    expected: `${GCS_PROFILE} of ${GCS_OEM}`,
    actual: `${profile.slice(0, 128)} of ${oem}`,
  });
  const software = claims.text('swname');
  checks.require('GCS_SOFTWARE', software === GCS_SOFTWARE, { expected: GCS_SOFTWARE, actual: software.slice(0, 64) });
  const hardware = claims.text('hwmodel');
  const accepted: readonly string[] = section.hardware;
  checks.require('GCS_HARDWARE_NOT_ALLOWED', accepted.includes(hardware), {
    expected: anyOf(accepted),
    actual: hardware.slice(0, 64),
  });
  const secure = claims.boolean('secboot');
  checks.require('GCS_SECURE_BOOT', secure, { expected: 'Secure Boot', actual: secure ? 'on' : 'off' });
  const status = claims.text('dbgstat');
  const debug = status !== GCS_NOT_DEBUGGED;
  checks.requireUnlessWaived('GCS_DEBUG', !debug, { expected: GCS_NOT_DEBUGGED, actual: status.slice(0, 64) });
  appraiseTcb(claims, hardware, section, checks);
  const supportAttributes = appraiseSupport(claims, section, checks);
  return { hardware, debug, supportAttributes, imageVersion: appraiseVersion(claims, section, checks) };
}

function appraiseSupport(
  claims: ClaimReader,
  { supportAttribute = 'STABLE' }: GcpConfidentialSpacePolicy,
  checks: Checklist,
): readonly string[] {
  const submodule = claims.object('submods')['confidential_space'];
  const list = isJsonObject(submodule) ? submodule['support_attributes'] : undefined;
  const attributes = (Array.isArray(list) ? list : []).filter((entry) => typeof entry === 'string');
  if (supportAttribute === 'any') checks.notApplicable('GCS_SUPPORT', 'the policy accepts any');
  else
    checks.require('GCS_SUPPORT', attributes.includes(supportAttribute), {
      expected: supportAttribute,
      actual: attributes.join(', ') || 'none',
    });
  return Object.freeze(attributes);
}

/** `swversion` is a list of one text. */
function appraiseVersion(
  claims: ClaimReader,
  { minimumVersion }: GcpConfidentialSpacePolicy,
  checks: Checklist,
): string {
  const version = claims.texts('swversion').join(' ');
  if (minimumVersion === undefined) {
    checks.notApplicable('GCS_VERSION_LOW', 'the policy has no floor');
    return version;
  }
  const number = /^[0-9]{1,8}$/.test(version) ? Number(version) : -1;
  checks.require('GCS_VERSION_LOW', number >= minimumVersion, {
    expected: `at least ${minimumVersion}`,
    actual: version.slice(0, 32),
  });
  return version;
}

function appraiseTcb(
  claims: ClaimReader,
  hardware: string,
  { tcbStatuses }: GcpConfidentialSpacePolicy,
  checks: Checklist,
): void {
  if (hardware !== 'GCP_INTEL_TDX') {
    checks.notApplicable('GCS_TCB_STATUS_NOT_ALLOWED', 'the token has none for this hardware');
    return;
  }
  const accepted: readonly string[] = tcbStatuses ?? ['UpToDate'];
  const status = claims.insideOnly('tdx').text('gcp_attester_tcb_status');
  checks.require('GCS_TCB_STATUS_NOT_ALLOWED', accepted.includes(status), {
    expected: anyOf(accepted),
    actual: status.slice(0, 64),
  });
}
