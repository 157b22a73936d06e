import type { CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import type { ArmLifecycle } from '../../claims/arm.ts';
import type { WaivableCheck } from '../../waivers.ts';
import { describe } from './claims.ts';

/** States by the upper byte of the claim (RFC 9783, section 4.3.1); the lower byte is the implementation's. */
const states: ReadonlyMap<number, ArmLifecycle['state']> = new Map([
  [0x00, 'unknown'],
  [0x10, 'assembly-and-test'],
  [0x20, 'rot-provisioning'],
  [0x30, 'secured'],
  [0x40, 'non-rot-debug'],
  [0x50, 'recoverable-rot-debug'],
  [0x60, 'decommissioned'],
]);

export function readLifecycle(value: CborValue | undefined, code: ErrorCode, checks: Checklist): ArmLifecycle {
  const sound = typeof value === 'number' && value >= 0 && value <= 0xffff;
  const state = sound ? states.get(value >> 8) : undefined;
  checks.require(code, sound && state !== undefined, {
    expected: '0x0000, 0x1000, ... 0x6000 and the 255 values after each',
    actual: sound ? `0x${value.toString(16).padStart(4, '0')}` : describe(value),
  });
  return Object.freeze({ value, state });
}

/**
 * Reports can be trusted in state "secured"; in "non-rot-debug" as far as the root of trust goes, which a policy must waive,
 * as everything outside it can be looked into. In every other state even the signature may be a debugger's (RFC 9783, section
 * 4.3.1). Returns whether debugging is enabled, which only a waiver lets pass.
 */
export function appraiseLifecycle(
  { state }: ArmLifecycle,
  codes: { readonly lifecycle: ErrorCode; readonly debug: WaivableCheck },
  checks: Checklist,
): boolean {
  const debug = state === 'non-rot-debug';
  checks.require(codes.lifecycle, state === 'secured' || debug, { expected: 'secured', actual: state });
  checks.requireUnlessWaived(codes.debug, !debug, { expected: 'secured', actual: state });
  return debug;
}
