import { encodePem } from '@fastness/codec';
import { CborTag, type CborKey, type CborValue } from '@fastness/codec/cbor';
import {
  armComponentMeasurement,
  armEnvironment,
  armKeyTriple,
  armReferenceTriple,
  corimUri,
  forgeCorim,
  forgedArmComponents,
  signCorim,
  type ForgeCorimOptions,
  type SignCorimOptions,
} from '@fastness/testkit';
import { PSA, PSA_COMPONENT } from './arm-corims.ts';
import { deviceKeys, edKeys, now, p256Keys, vendorKeys } from './arm-forge.ts';
import type { ErrorCode } from '@fastness/codec/errors';
import type { OpenCorimOptions } from '../../src/corim/index.ts';

export const SNP = 'tag:amd.com,2025:snp-corim-profile';
export const INTEL = new CborTag(111, Uint8Array.from([0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x4d, 1, 0x10, 1]));

/** A manifest that is good in every respect but the ones named here. */
export interface CorimScenario {
  readonly corim?: Partial<ForgeCorimOptions>;
  readonly sign?: Partial<SignCorimOptions>;
  /** Edits what is sent. */
  readonly bytes?: (corim: Uint8Array) => Uint8Array;
  readonly options?: Partial<OpenCorimOptions>;
  /** Sends it unsigned, with the caller answering for it. */
  readonly unsigned?: true;
}

/** A scenario in which exactly one thing is wrong, and the code that must say so. */
export type CorimFailure = readonly [code: ErrorCode, what: string, scenario: CorimScenario];

/** Everything that `importCorim` takes. The manifest endorses the forged PSA device unless said otherwise. */
export async function prepareCorim(scenario: CorimScenario = {}): Promise<OpenCorimOptions> {
  const corim = forgeCorim({
    profile: corimUri(PSA),
    triples: { 0: [armReferenceTriple(PSA_COMPONENT, forgedArmComponents())], 3: [armKeyTriple(deviceKeys)] },
    ...scenario.corim,
  });
  const sent = scenario.unsigned ? corim : await signCorim(corim, { keys: vendorKeys, ...scenario.sign });
  return {
    corim: scenario.bytes?.(sent) ?? sent,
    ...(scenario.unsigned ? { unsigned: 'caller' } : { signers: [p256Keys.spki, edKeys.spki, vendorKeys.spki] }),
    now,
    ...scenario.options,
  };
}

export type Members = Map<CborKey, CborValue>;
export const header = (edit: (members: Members) => void): CorimScenario => ({ sign: { header: edit } });
export const manifest = (edit: (members: Members) => void): CorimScenario => ({ corim: { corim: edit } });
export const comid = (edit: (members: Members) => void): CorimScenario => ({ corim: { comid: edit } });
export const triples = (
  by: Readonly<Record<number, readonly CborValue[]>>,
  profile: CborValue = corimUri(PSA),
): CorimScenario => ({
  corim: { triples: by, profile },
});
export const cwt =
  (...claims: readonly (readonly [number, CborValue])[]) =>
  (members: Members): void => {
    members.delete(8);
    members.set(15, new Map(claims));
  };

export const [bl] = forgedArmComponents();
export const component = (
  edit: (values: Map<number, CborValue>, whole: Map<number, CborValue>) => void,
): CorimScenario => {
  const whole = armComponentMeasurement(PSA_COMPONENT, bl ?? new Map()) as Map<number, CborValue>;
  edit(whole.get(1) as Map<number, CborValue>, whole);
  return triples({ 0: [[armEnvironment(), [whole]]] });
};
export const [keyEnvironment, keyList] = armKeyTriple(deviceKeys) as [Members, readonly CborTag[]];
export const pem = encodePem(deviceKeys.spki, 'PUBLIC KEY');
export const keyed = (...keys: readonly CborValue[]): CorimScenario => triples({ 3: [[keyEnvironment, keys]] });
export const hash = new Uint8Array(32);
