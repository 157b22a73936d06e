import { fromHex, toHex } from '@fastness/codec';
import { encodeCbor, type CborValue } from '@fastness/codec/cbor';
import type { ArmSoftwareComponent } from '../../claims/arm.ts';

/** Sets these digests apart from all others. */
const LABEL = 'fastness/arm-psa/software-components/v1';

/**
 * One digest over all software components of a token, for policies that pin firmware as a whole: SHA-256 over the
 * deterministic CBOR of [label, [[type, measurement, version, signer id], ...]] in the order of the token, null for what a
 * component lacks. A new version string is a new digest.
 * @returns lower-case hex, 32 bytes
 */
export async function armPsaMeasurement(components: readonly ArmSoftwareComponent[]): Promise<string> {
  const rows = components.map(({ type, measurement, version, signerId }): CborValue => [
    type ?? null,
    fromHex(measurement),
    version ?? null,
    signerId === undefined ? null : fromHex(signerId),
  ]);
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', encodeCbor([LABEL, rows]))));
}
