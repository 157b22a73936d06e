import { FastnessError } from '@fastness/codec/errors';
import type { Tee } from './tees.ts';

/**
 * The part that a kind of evidence can play in a collection.
 *
 * - `cpu`: the root of trust of the machine or enclave that runs the software; a collection has exactly one.
 * - `device`: attached to it, and bound to it by the digest that the processor's evidence carries.
 * - `alone`: speaks for a whole device or repeats what another verifier said; never part of a collection.
 */
export type TeeRole = 'cpu' | 'device' | 'alone';

interface RoleFacts {
  readonly role: TeeRole;
  /** What labels of the collection begin with; a number from 0 follows. */
  readonly label: string;
  /** Bytes of the value that the evidence binds: 64 of report data, or what a TPM of today takes as qualifying data. */
  readonly boundBytes: 32 | 64;
  /**
   * Nothing in it is about the software of a machine: whoever can reach the device has it sign any value, so by itself it
   * says nothing about who holds the keys of a session.
   */
  readonly accessory?: true;
}

const cpu: RoleFacts = Object.freeze({ role: 'cpu', label: 'cpu', boundBytes: 64 });
const virtualTpm: RoleFacts = Object.freeze({ role: 'cpu', label: 'cpu', boundBytes: 32 });
const alone: RoleFacts = Object.freeze({ role: 'alone', label: '', boundBytes: 64 });
const device = (label: string): RoleFacts => Object.freeze({ role: 'device', label, boundBytes: 32 });
const accessory = (facts: RoleFacts): RoleFacts => Object.freeze({ ...facts, accessory: true });

/** Kinds by name. A kind that is not listed can only stand alone. */
const roles: ReadonlyMap<string, RoleFacts> = new Map([
  ['sev-snp', cpu],
  ['tdx', cpu],
  ['sgx', cpu],
  ['aws-nitro', cpu],
  ['aws-nitrotpm', cpu],
  ['arm-cca', cpu],
  ['azure-vtpm', virtualTpm],
  ['gcp-vtpm', virtualTpm],
  ['nvidia-gpu', accessory(device('gpu'))],
  ['nvidia-nvswitch', accessory(device('nvswitch'))],
  // Its registers are about the software of its machine.
  ['tpm', device('tpm')],
  ['nvidia-nras', accessory({ ...alone, boundBytes: 32 })],
]);

/** Kinds of device that a policy can ask for. */
export const deviceKinds = Object.freeze(['nvidia-gpu', 'nvidia-nvswitch', 'tpm'] as const);
export type DeviceKind = (typeof deviceKinds)[number];

export function roleOf(tee: Tee): RoleFacts {
  return roles.get(tee) ?? alone;
}

/**
 * Checks that a label of a collection fits the kind of evidence under it: cpu0 (and no other), gpu0, gpu1, nvswitch0, tpm0, ...
 * The number has no leading zeros. Throws ATTEST_LABEL_MISMATCH.
 */
export function requireLabel(label: string, tee: Tee): void {
  const facts = roleOf(tee);
  if (facts.role !== 'alone' && label.startsWith(facts.label)) {
    const rest = label.slice(facts.label.length);
    // There is one processor, and nothing binds its label.
    if (facts.role === 'cpu' ? rest === '0' : /^(?:0|[1-9][0-9]?)$/.test(rest)) return;
  }
  const wanted = facts.role === 'alone' ? 'no label, as it cannot be part of a collection' : `${facts.label}0, ...`;
  throw new FastnessError('ATTEST_LABEL_MISMATCH', `${label} holds evidence of ${tee}, which wants ${wanted}.`);
}
