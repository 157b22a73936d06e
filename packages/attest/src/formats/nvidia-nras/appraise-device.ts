import { anyOf, type Checklist } from '../../checks.ts';
import type { NrasDevice } from '../../claims/token.ts';
import type { JsonObject } from '../../jws/json.ts';
import type { NvidiaNrasPolicy } from '../../policy/nvidia-nras.ts';
import { ClaimReader } from '../token/claims.ts';
import { NONCE_BYTES, nrasKinds, type NrasKind } from './layout.ts';

/** What NRAS says about one device. Each statement is looked at, as the overall result is only their summary. */
export function appraiseDevice(
  name: string,
  part: JsonObject,
  { section, reportData }: { readonly section: NvidiaNrasPolicy; readonly reportData: string },
  checks: Checklist,
): NrasDevice {
  const claims = new ClaimReader(part, 'NRAS_CLAIM', checks);
  const nonce = claims.hex('eat_nonce', NONCE_BYTES);
  checks.require('NRAS_DEVICE_NONCE', nonce === reportData, { expected: reportData, actual: `${name}: ${nonce}` });
  const kind = nrasKinds.find(({ label }) => new RegExp(`^${label}-[0-9]{1,3}$`).test(name));
  checks.require('NRAS_KIND_NOT_ALLOWED', kind !== undefined && section.kinds.includes(kind.kind), {
    expected: anyOf(section.kinds),
    actual: name.slice(0, 32),
  });
  requireVerified(name, claims, kind, checks);
  const result = claims.text('measres');
  checks.require('NRAS_MEASUREMENTS', result.toLowerCase() === 'success', {
    expected: 'success',
    actual: `${name}: ${result.slice(0, 32)}`,
  });
  const debug = appraiseMode(name, claims, checks);
  requireNoWarning(name, part, section, checks);
  return Object.freeze({ name, kind: kind.kind, debug, ...versionsOf(name, claims, kind, section, checks) });
}

function requireVerified(name: string, claims: ClaimReader, kind: NrasKind, checks: Checklist): void {
  for (const flag of kind.flags) {
    const holds = claims.boolean(flag);
    checks.require('NRAS_DEVICE_CHECK', holds, { expected: `${name}: ${flag}`, actual: holds ? 'true' : 'false' });
  }
  for (const chain of kind.chains) {
    const facts = claims.inside(chain);
    const status = facts.text('x-nvidia-cert-status');
    const revocation = facts.text('x-nvidia-cert-ocsp-status');
    checks.require('NRAS_CERTIFICATES', status === 'valid' && revocation === 'good', {
      expected: `${name}: ${chain} valid and good`,
      actual: `${status.slice(0, 32)} and ${revocation.slice(0, 32)}`,
    });
  }
}

/** Returns whether the device is debugged, which only a waiver lets pass. */
function appraiseMode(name: string, claims: ClaimReader, checks: Checklist): boolean {
  const secure = claims.boolean('secboot');
  checks.require('NRAS_SECURE_BOOT', secure, { expected: `${name}: secure boot`, actual: secure ? 'on' : 'off' });
  const status = claims.text('dbgstat');
  const debug = status !== 'disabled';
  checks.requireUnlessWaived('NRAS_DEBUG', !debug, {
    expected: `${name}: disabled`,
    actual: status.slice(0, 32),
  });
  return debug;
}

function requireNoWarning(name: string, part: JsonObject, { warnings }: NvidiaNrasPolicy, checks: Checklist): void {
  if (warnings === 'allow') {
    checks.notApplicable('NRAS_WARNING', 'the policy accepts warnings');
    return;
  }
  const warning = part['x-nvidia-attestation-warning'] ?? null;
  checks.require('NRAS_WARNING', warning === null, {
    expected: `${name}: no warning`,
    actual: JSON.stringify(warning).slice(0, 256),
  });
}

function versionsOf(
  name: string,
  claims: ClaimReader,
  kind: NrasKind,
  { models, drivers, firmware: accepted }: NvidiaNrasPolicy,
  checks: Checklist,
): Pick<NrasDevice, 'ueid' | 'model' | 'driver' | 'firmware'> {
  const model = claims.text('hwmodel');
  requireVersion('NRAS_MODEL_NOT_ALLOWED', name, model, models, checks);
  const driver = kind.driver === undefined ? undefined : claims.text(kind.driver);
  requireVersion('NRAS_DRIVER_NOT_ALLOWED', name, driver, drivers, checks);
  const firmware = claims.text(kind.firmware);
  requireVersion('NRAS_FIRMWARE_NOT_ALLOWED', name, firmware, accepted, checks);
  return { ueid: claims.text('ueid'), model, firmware, ...(driver === undefined ? {} : { driver }) };
}

function requireVersion(
  code: 'NRAS_MODEL_NOT_ALLOWED' | 'NRAS_DRIVER_NOT_ALLOWED' | 'NRAS_FIRMWARE_NOT_ALLOWED',
  name: string,
  value: string | undefined,
  list: readonly string[] | undefined,
  checks: Checklist,
): void {
  if (value === undefined || list === undefined) checks.notApplicable(code, 'the policy or the device has none');
  else checks.require(code, list.includes(value), { expected: anyOf(list), actual: `${name}: ${value.slice(0, 64)}` });
}
