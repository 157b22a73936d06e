import { toHex } from '@fastness/codec';
import type { CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import type { Checklist } from '../../checks.ts';
import type { ArmSoftwareComponent } from '../../claims/arm.ts';
import { describe, HASH_BYTES } from './claims.ts';

const MAX_COMPONENTS = 64;
const MAX_TEXT = 256;
/** Attributes of a component (RFC 9783, section 4.4.1). Others are left alone, as receivers have to. */
const [TYPE, VALUE, VERSION, SIGNER_ID, DESCRIPTION] = [1, 2, 4, 5, 6];

/**
 * Reads the list of software components. `signer`: whether each must name its signer, as in CCA; PSA's format leaves that to
 * the profile of the device.
 */
export function readComponents(
  value: CborValue | undefined,
  { signer }: { readonly signer: 'required' | 'optional' },
  code: ErrorCode,
  checks: Checklist,
): readonly ArmSoftwareComponent[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const components = list.map((entry) => readComponent(entry, signer));
  const bad = components.findIndex((component) => component === undefined);
  checks.require(code, list.length > 0 && list.length <= MAX_COMPONENTS && bad === -1, {
    expected: `1 to ${MAX_COMPONENTS} components with a measurement of 32, 48 or 64 bytes`,
    actual: bad === -1 ? describe(value) : `component ${bad} is malformed`,
  });
  return Object.freeze(components.filter((component) => component !== undefined));
}

function readComponent(entry: unknown, signer: 'required' | 'optional'): ArmSoftwareComponent | undefined {
  if (!(entry instanceof Map)) return undefined;
  const map = entry as ReadonlyMap<unknown, unknown>;
  const measurement = map.get(VALUE);
  const signerId = map.get(SIGNER_ID);
  const texts = [map.get(TYPE), map.get(VERSION), map.get(DESCRIPTION)];
  if (!isHash(measurement) || (signerId === undefined ? signer === 'required' : !isHash(signerId))) return undefined;
  if (!texts.every((text) => text === undefined || isText(text))) return undefined;
  const [type, version, algorithm] = texts.map((text) => (isText(text) ? text : undefined));
  return Object.freeze({
    ...(type === undefined ? {} : { type }),
    ...(version === undefined ? {} : { version }),
    ...(algorithm === undefined ? {} : { algorithm }),
    ...(isHash(signerId) ? { signerId: toHex(signerId) } : {}),
    measurement: toHex(measurement),
  });
}

function isHash(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && HASH_BYTES.includes(value.length);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MAX_TEXT;
}
