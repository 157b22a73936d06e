import { FastnessError } from '@fastness/codec/errors';
import type { Claims } from '@fastness/attest';

/**
 * Identities of platforms as leases, revocations and the audit log name them: the kind, a colon, and the value in lower case.
 * Only kinds that evidence of a machine or enclave can have are listed; devices and tokens get no key.
 */
const forms: Readonly<Record<string, RegExp>> = Object.freeze({
  /** AMD: 64 bytes, on Turin 8. */
  'chip-id': /^(?:[0-9a-f]{16}|[0-9a-f]{128})$/,
  'csp-id': /^[ -~]{1,64}$/,
  /** Intel. */
  ppid: /^[0-9a-f]{32}$/,
  /** An EC2 instance, or the module id or instance id of what names none. */
  'instance-id': /^[!-~]{1,140}$/,
  'vm-id': /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'gce-instance': /^[!-~]{1,140}$/,
  /** A TPM whose key the policy pins. */
  'attestation-key': /^[0-9a-f]{64}$/,
});

/**
 * The platform that claims are about. A Nitro enclave names itself anew at every start, so where its module id says on which
 * EC2 instance it runs, the instance is what is named: revoking it must last longer than one enclave.
 */
export function platformOf(claims: Claims): string {
  const { identity } = claims;
  const value = 'instance' in claims && typeof claims.instance === 'string' ? claims.instance : identity.value;
  return platformName({ kind: identity.kind, value });
}

/** The name of a platform in leases and revocations; everything is compared without case. */
export function platformName(identity: { kind: string; value: string }): string {
  return `${identity.kind}:${identity.value}`.toLowerCase();
}

/** Whether a text is a name that {@link platformName} can give. */
export function isPlatformName(text: string): boolean {
  const at = text.indexOf(':');
  const form = Object.hasOwn(forms, text.slice(0, at)) ? forms[text.slice(0, at)] : undefined;
  return form?.test(text.slice(at + 1)) === true;
}

/**
 * Brings what an administrator typed into the form that claims have. Bare values are told by their form: chip ids, PPIDs,
 * EC2 instances, VM ids; anything else is a provider. The 64-byte form of a Turin chip id (8 bytes, then zeros) becomes the
 * 8-byte form. Throws `BROKER_REQUEST_INVALID`.
 */
export function canonicalPlatform(value: string): string {
  const text = value.toLowerCase();
  const at = text.indexOf(':');
  const prefix = text.slice(0, Math.max(at, 0));
  const kind = Object.hasOwn(forms, prefix) ? prefix : kindOfBare(text);
  const bare = kind === prefix ? text.slice(at + 1) : text;
  if (forms[kind]?.test(bare) !== true)
    throw new FastnessError('BROKER_REQUEST_INVALID', `value: not a platform identity of kind ${kind}.`);
  const short = kind === 'chip-id' && bare.length === 128 && /^0+$/.test(bare.slice(16)) ? bare.slice(0, 16) : bare;
  return platformName({ kind, value: short });
}

function kindOfBare(text: string): string {
  if (forms['chip-id']?.test(text) === true) return 'chip-id';
  if (forms['ppid']?.test(text) === true) return 'ppid';
  if (forms['vm-id']?.test(text) === true) return 'vm-id';
  if (forms['attestation-key']?.test(text) === true) return 'attestation-key';
  if (/^i-[0-9a-f]{8,17}$/.test(text)) return 'instance-id';
  return text.startsWith('projects/') ? 'gce-instance' : 'csp-id';
}
