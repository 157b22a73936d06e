import { fromHex } from '@fastness/codec';
import type { ArmSoftwareComponent } from '../../claims/arm.ts';
import type { ArmComponent, ArmReference } from '../../policy/arm.ts';

/**
 * The states whose software is that of the token: every component of the token is one of the state, and every component of
 * the state is in the token. Components of different states are never combined.
 */
export function statesOf(
  components: readonly ArmSoftwareComponent[],
  states: readonly ArmReference[],
): readonly ArmReference[] {
  return states.filter(
    ({ components: wanted }) =>
      components.every((component) => wanted.some((reference) => matches(component, reference))) &&
      wanted.every((reference) => components.some((component) => matches(component, reference))),
  );
}

/** For people: what keeps the token from being in a state. Names the first component that no state knows. */
export function strangerAmong(components: readonly ArmSoftwareComponent[], states: readonly ArmReference[]): string {
  const known = states.flatMap((state) => state.components);
  const stranger = components.find((component) => !known.some((reference) => matches(component, reference)));
  if (stranger === undefined) return 'components of different states, or not all of one';
  return `component ${JSON.stringify(stranger.type ?? '')} with measurement ${stranger.measurement}`;
}

function matches(component: ArmSoftwareComponent, reference: ArmComponent): boolean {
  const { type, version, signerId, digests } = reference;
  return (
    (type === undefined || type === component.type) &&
    (version === undefined || version === component.version) &&
    (signerId === undefined || signerId === component.signerId) &&
    digests.some(({ algorithm, value }) => value === component.measurement && agree(algorithm, component.algorithm))
  );
}

const hashNames: ReadonlySet<string> = new Set(['sha256', 'sha384', 'sha512']);

/** Both say how it was measured, and say the same; TF-M writes "SHA256" for "sha-256". Other names are descriptions. */
function agree(wanted: string | undefined, named: string | undefined): boolean {
  const [left, right] = [wanted, named].map((name) => name?.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));
  return left === undefined || right === undefined || !hashNames.has(right) || left === right;
}

/** Whether a configuration is the wanted one in the bits that count (draft-ietf-rats-corim, section 8.3.4.4). */
export function configurationMatches(
  configuration: Uint8Array,
  wanted: NonNullable<ArmReference['configuration']>,
): boolean {
  const value = fromHex(wanted.value);
  const mask = wanted.mask === undefined ? value.map(() => 0xff) : fromHex(wanted.mask);
  if (configuration.length !== value.length || mask.length !== value.length) return false;
  return value.every((byte, index) => ((byte ^ (configuration[index] ?? 0)) & (mask[index] ?? 0xff)) === 0);
}
