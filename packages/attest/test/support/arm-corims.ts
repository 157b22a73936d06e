import { toBase64Url } from '@fastness/codec';
import { CborTag, type CborValue } from '@fastness/codec/cbor';
import {
  armKeyTriple,
  armReferenceTriple,
  corimEndorsement,
  corimUri,
  forgeCorim,
  forgedArmComponents,
  forgedRealm,
  signCorim,
  type ForgeCorimOptions,
  type SignCorimOptions,
} from '@fastness/testkit';
import type { Cmw } from '../../src/index.ts';
import { deviceKeys, vendorKeys } from './arm-forge.ts';

export const PSA = 'tag:arm.com,2025:psa#1.0.0';
export const PLATFORM = 'tag:arm.com,2025:cca_platform#1.0.0';
export const REALM = 'tag:arm.com,2025:cca_realm#1.0.0';
export const PSA_COMPONENT = 'psa.software-component';
export const CCA_COMPONENT = 'cca.software-component';

/** How a policy pins the vendor whose CoRIMs count. */
export const pinVendor = { corimSigners: [toBase64Url(vendorKeys.spki)] };

/** Endorses the forged device and the firmware of forged tokens. */
export function deviceCorim(profile = PSA, options: Partial<ForgeCorimOptions> = {}): Uint8Array {
  const name = profile === PSA ? PSA_COMPONENT : CCA_COMPONENT;
  const triples: Record<number, readonly CborValue[]> = {
    0: [armReferenceTriple(name, forgedArmComponents())],
    3: [armKeyTriple(deviceKeys)],
  };
  return forgeCorim({ profile: corimUri(profile), triples, ...options });
}

/** The same as an endorsement, signed by the vendor. */
export async function signedCorim(
  profile = PSA,
  options: { readonly corim?: Partial<ForgeCorimOptions>; readonly sign?: Partial<SignCorimOptions> } = {},
): Promise<readonly Cmw[]> {
  const signed = await signCorim(deviceCorim(profile, options.corim), { keys: vendorKeys, ...options.sign });
  return [corimEndorsement(signed)];
}

/** A measurement-map: its name, and its values by their number. */
export function measurement(
  name: CborValue | undefined,
  values: readonly (readonly [number, CborValue])[],
): Map<number, CborValue> {
  const entries: [number, CborValue][] = [[1, new Map(values)]];
  return new Map(name === undefined ? entries : [[0, name], ...entries]);
}

/** Reference values of a realm, the forged one unless said otherwise. */
export function realmTriple(
  rim: Uint8Array = forgedRealm.rim,
  ...others: readonly (readonly [name: string, value: Uint8Array])[]
): CborValue {
  const environment = new Map([[0, new Map([[0, new CborTag(560, rim)]])]]);
  const measurements = [['cca.rim', rim] as const, ...others].map(([name, value]) =>
    name === 'cca.rpv'
      ? measurement(name, [[4, new CborTag(560, value)]])
      : measurement(name, [[2, [[value.length === 32 ? 1 : 8, value]]]]),
  );
  return [environment, measurements];
}
