import { concatBytes, encodePem } from '@fastness/codec';
import { CborTag, encodeCbor, type CborKey, type CborValue } from '@fastness/codec/cbor';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  armComponentMeasurement,
  armEnvironment,
  armKeyTriple,
  armReferenceTriple,
  corimUri,
  corimValidity,
  forgeCorim,
  forgedArmComponents,
  forgedArmDevice,
  forgedRealm,
  signCorim,
  type ForgeCorimOptions,
  type SignCorimOptions,
} from '@fastness/testkit';
import type { OpenCorimOptions } from '../../src/corim/index.ts';
import { CCA_COMPONENT, measurement, PLATFORM, PSA, PSA_COMPONENT, REALM, realmTriple } from './arm-corims.ts';
import { after, deviceKeys, edKeys, now, p256Keys, strangerKeys, vendorKeys } from './arm-forge.ts';

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

type Members = Map<CborKey, CborValue>;
const header = (edit: (members: Members) => void): CorimScenario => ({ sign: { header: edit } });
const manifest = (edit: (members: Members) => void): CorimScenario => ({ corim: { corim: edit } });
const comid = (edit: (members: Members) => void): CorimScenario => ({ corim: { comid: edit } });
const triples = (
  by: Readonly<Record<number, readonly CborValue[]>>,
  profile: CborValue = corimUri(PSA),
): CorimScenario => ({
  corim: { triples: by, profile },
});
const cwt =
  (...claims: readonly (readonly [number, CborValue])[]) =>
  (members: Members): void => {
    members.delete(8);
    members.set(15, new Map(claims));
  };

export const envelopeFailures: readonly CorimFailure[] = [
  ['CORIM_SIZE', 'no bytes', { bytes: () => new Uint8Array() }],
  ['CORIM_SIZE', 'more than a mebibyte', { bytes: () => new Uint8Array((1 << 20) + 1) }],
  ['CORIM_TYPE', 'no tag', { unsigned: true, bytes: (bytes) => bytes.subarray(3) }],
  ['CORIM_TYPE', 'an older tag', { unsigned: true, corim: { tag: 500 } }],
  ['CORIM_TYPE', 'an older tag, signed', { corim: { tag: 502 } }],
  ['CORIM_UNSIGNED', 'nobody answers for it', { unsigned: true, options: { unsigned: undefined as never } }],
  ['CORIM_HEADER', 'another content type', header((members) => void members.set(3, 'application/cbor'))],
  ['CORIM_HEADER', 'no content type', header((members) => void members.delete(3))],
  ['CORIM_HEADER', 'nothing about the signer', header((members) => void members.delete(8))],
  [
    'CORIM_HEADER',
    'a signer without a name',
    header((members) => void members.set(8, encodeCbor(new Map([[0, new Map()]])))),
  ],
  ['CORIM_HEADER', 'a signer that is no map', header((members) => void members.set(8, encodeCbor([])))],
  ['CORIM_HEADER', 'claims without an issuer', header(cwt([4, 1]))],
  ['CORIM_HEADER', 'claims with times that are text', header(cwt([1, 'Vendor'], [4, '2027']))],
  [
    'CORIM_HEADER',
    'claims that contradict the meta',
    header((members) => void members.set(15, new Map([[1, 'Other']]))),
  ],
  [
    'CORIM_HEADER',
    'the signer unprotected',
    { sign: { header: (members) => void members.delete(8), unprotected: new Map([[15, new Map([[1, 'Vendor']])]]) } },
  ],
  ['CORIM_ALGORITHM', 'RS256', header((members) => void members.set(1, -257))],
  ['CORIM_PAYLOAD', 'a detached manifest', { sign: { detached: true } }],
  ['CORIM_PAYLOAD', 'a hash envelope', header((members) => void members.set(258, -16))],
  ['CORIM_SIGNATURE', 'by another key', { sign: { signWith: strangerKeys } }],
  ['CORIM_SIGNATURE', 'no keys are pinned', { options: { signers: [] } }],
  ['CORIM_SIGNATURE', 'another key is pinned', { options: { signers: [strangerKeys.spki] } }],
  ['CORIM_SIGNATURE', 'keys of other curves are pinned', { options: { signers: [p256Keys.spki, edKeys.spki] } }],
  ['CORIM_SIGNATURE_VALIDITY', 'not yet', { sign: { validity: corimValidity(after(1), after(2)) } }],
  ['CORIM_SIGNATURE_VALIDITY', 'no longer', { sign: { validity: corimValidity(after(-2), after(-1)) } }],
  ['CORIM_SIGNATURE_VALIDITY', 'no longer, in claims', header(cwt([1, 'Vendor'], [4, 1_700_000_000]))],
  ['CORIM_SIGNATURE_VALIDITY', 'not yet, in claims', header(cwt([1, 'Vendor'], [5, 2_000_000_000]))],
  ['CODEC_TRAILING', 'a byte after it', { bytes: (bytes) => concatBytes(bytes, new Uint8Array(1)) }],
  ['ATTEST_ARGUMENT_INVALID', 'no time', { options: { now: new Date(Number.NaN) } }],
  [
    'ATTEST_ARGUMENT_INVALID',
    '17 keys are pinned',
    { options: { signers: Array.from({ length: 17 }, () => vendorKeys.spki) } },
  ],
];

const [bl] = forgedArmComponents();
const component = (edit: (values: Map<number, CborValue>, whole: Map<number, CborValue>) => void): CorimScenario => {
  const whole = armComponentMeasurement(PSA_COMPONENT, bl ?? new Map()) as Map<number, CborValue>;
  edit(whole.get(1) as Map<number, CborValue>, whole);
  return triples({ 0: [[armEnvironment(), [whole]]] });
};
const [keyEnvironment, keyList] = armKeyTriple(deviceKeys) as [Members, readonly CborTag[]];
const pem = encodePem(deviceKeys.spki, 'PUBLIC KEY');
const keyed = (...keys: readonly CborValue[]): CorimScenario => triples({ 3: [[keyEnvironment, keys]] });
const hash = new Uint8Array(32);

export const modelFailures: readonly CorimFailure[] = [
  ['CORIM_MAP', 'no id', manifest((members) => void members.delete(0))],
  ['CORIM_MAP', 'an unknown member', manifest((members) => void members.set(-1, 'foo'))],
  ['CORIM_MAP', 'no tags', manifest((members) => void members.set(1, []))],
  ['CORIM_MAP', 'a tag without a CBOR tag', manifest((members) => void members.set(1, [hash]))],
  ['CORIM_MAP', 'a profile that is a number', manifest((members) => void members.set(3, 7))],
  ['CORIM_MAP', 'a validity without an end', manifest((members) => void members.set(4, new Map()))],
  ['CORIM_MAP', 'a CoMID without an identity', comid((members) => void members.delete(1))],
  ['CORIM_MAP', 'an unknown member of a CoMID', comid((members) => void members.set(9, 1))],
  ['CORIM_PROFILE_UNKNOWN', 'none', manifest((members) => void members.delete(3))],
  ['CORIM_PROFILE_UNKNOWN', 'another version', { corim: { profile: corimUri('tag:arm.com,2025:psa#1.0.1') } }],
  ['CORIM_PROFILE_UNKNOWN', 'another OID', { corim: { profile: new CborTag(111, hash) } }],
  ['CORIM_VALIDITY', 'not yet', { corim: { validity: corimValidity(after(1), after(2)) } }],
  ['CORIM_VALIDITY', 'no longer', { corim: { validity: corimValidity(after(-2), after(-1)) } }],
  ['CORIM_TAG_UNSUPPORTED', 'a CoSWID', manifest((members) => void members.set(1, [new CborTag(505, hash)]))],
  ['CORIM_TAG_UNSUPPORTED', 'a list of tags', manifest((members) => void members.set(1, [new CborTag(508, hash)]))],
  ['CORIM_TAG_UNSUPPORTED', 'linked tags', comid((members) => void members.set(3, []))],
  ['CORIM_TRIPLE', 'none', triples({})],
  ['CORIM_TRIPLE', 'of an unknown kind', triples({ 99: [hash] })],
  ['CORIM_TRIPLE', 'an empty list', triples({ 0: [] })],
  ['CORIM_TRIPLE', 'no list', triples({ 0: [hash] })],
  ['CORIM_TRIPLE', 'without measurements', triples({ 0: [[armEnvironment(), []]] })],
  ['CORIM_TRIPLE', 'of three members', triples({ 0: [[armEnvironment(), [], []]] })],
  ['CORIM_TRIPLE', 'keys with four members', triples({ 3: [[keyEnvironment, keyList, new Map(), 1]] })],
  ['CORIM_ENVIRONMENT', 'empty', triples({ 3: [[new Map(), keyList]] })],
  ['CORIM_ENVIRONMENT', 'an empty class', triples({ 3: [[new Map([[0, new Map()]]), keyList]] })],
  [
    'CORIM_ENVIRONMENT',
    'a class of an unknown kind',
    triples({ 3: [[new Map([[0, new Map([[0, new CborTag(600, hash)]])]]), keyList]] }),
  ],
  [
    'CORIM_ENVIRONMENT',
    'a UUID of another length',
    triples({ 3: [[new Map([[0, new Map([[0, new CborTag(37, hash)]])]]), keyList]] }),
  ],
  ['CORIM_MEASUREMENT', 'without values', component((_, whole) => void whole.delete(1))],
  ['CORIM_MEASUREMENT', 'with no value', component((values) => values.clear())],
  ['CORIM_MEASUREMENT', 'a name that is a list', component((_, whole) => void whole.set(0, []))],
  ['CORIM_MEASUREMENT', 'a mask without a value', component((values) => void values.set(5, hash))],
  ['CORIM_DIGESTS', 'of an unknown algorithm', component((values) => void values.set(2, [[2, hash]]))],
  ['CORIM_DIGESTS', 'of the wrong length', component((values) => void values.set(2, [[7, hash]]))],
  [
    'CORIM_DIGESTS',
    'of one algorithm twice',
    component(
      (values) =>
        void values.set(2, [
          [1, hash],
          ['sha-256', hash],
        ]),
    ),
  ],
  ['CORIM_DIGESTS', 'not in lists', component((values) => void values.set(2, ['sha-256', hash]))],
  ['CORIM_RAW_VALUE', 'of another tag', component((values) => void values.set(4, new CborTag(37, hash)))],
  [
    'CORIM_RAW_VALUE',
    'a mask of another length',
    component((values) => void values.set(4, new CborTag(563, [hash, hash.subarray(1)]))),
  ],
  ['CORIM_KEY', 'of an unknown kind', keyed(new CborTag(553, pem))],
  ['CORIM_KEY', 'bytes where text belongs', keyed(new CborTag(554, hash))],
];

const configuration = (...values: readonly (readonly [number, CborValue])[]) =>
  measurement('cca.platform-config', values);
const platform = (...others: readonly CborValue[]): CorimScenario =>
  triples({ 0: [armReferenceTriple(CCA_COMPONENT, forgedArmComponents(), ...others)] }, corimUri(PLATFORM));
const realms = (...list: readonly CborValue[]): CorimScenario => triples({ 0: list }, corimUri(REALM));
const tagged = (value: Uint8Array) => new CborTag(560, value);
const realmWith = (...measurements: readonly CborValue[]): CorimScenario =>
  realms([new Map([[0, new Map([[0, tagged(forgedRealm.rim)]])]]), measurements]);
const rim = measurement('cca.rim', [[2, [[1, forgedRealm.rim]]]]);

export const profileFailures: readonly CorimFailure[] = [
  [
    'CORIM_CLASS',
    'a UUID',
    triples({
      3: [
        [
          new Map<number, CborValue>([
            [0, new Map([[0, new CborTag(37, hash.subarray(16))]])],
            [1, new CborTag(550, forgedArmDevice.instanceId)],
          ]),
          keyList,
        ],
      ],
    }),
  ],
  [
    'CORIM_CLASS',
    'of 31 bytes',
    triples({ 3: [armKeyTriple(deviceKeys, { ...forgedArmDevice, implementationId: hash.subarray(1) })] }),
  ],
  ['CORIM_CLASS', 'none', triples({ 3: [[new Map([[1, new CborTag(550, forgedArmDevice.instanceId)]]), keyList]] })],
  [
    'CORIM_CLASS',
    'a realm without one',
    realms([armEnvironment(forgedArmDevice.instanceId, hash), [rim]].with(0, new Map([[1, tagged(hash)]]))),
  ],
  ['CORIM_INSTANCE', 'none for a key', triples({ 3: [[armEnvironment(), keyList]] })],
  [
    'CORIM_INSTANCE',
    'a UEID of another kind',
    triples({ 3: [armKeyTriple(deviceKeys, { ...forgedArmDevice, instanceId: Uint8Array.of(0x02, ...hash) })] }),
  ],
  [
    'CORIM_INSTANCE',
    'reference values of one',
    triples({
      0: [[armEnvironment(forgedArmDevice.instanceId), [armComponentMeasurement(PSA_COMPONENT, bl ?? new Map())]]],
    }),
  ],
  ['CORIM_INSTANCE', 'a realm with one', realms([armEnvironment(forgedArmDevice.instanceId, forgedRealm.rim), [rim]])],
  ['CORIM_KEY', 'a certificate', keyed(new CborTag(555, pem))],
  ['CORIM_KEY', 'two', keyed(...keyList, ...keyList)],
  ['CORIM_KEY', 'not PEM', keyed(new CborTag(554, 'key'))],
  ['CORIM_KEY', 'two in one', keyed(new CborTag(554, pem + pem))],
  ['CORIM_KEY', 'PEM of something else', keyed(new CborTag(554, pem.replace('MH', 'MA')))],
  ['CORIM_KEY', 'Ed25519', triples({ 3: [armKeyTriple(edKeys)] })],
  ['CORIM_MKEY', 'a number', component((_, whole) => void whole.set(0, 6))],
  ['CORIM_MKEY', 'another text', component((_, whole) => void whole.set(0, CCA_COMPONENT))],
  ['CORIM_MKEY', 'none', component((_, whole) => void whole.delete(0))],
  ['CORIM_MKEY', 'of a platform, unknown', platform(measurement('cca.rim', [[2, [[1, hash]]]]))],
  ['CORIM_MKEY', 'of a realm, unknown', realmWith(rim, measurement('cca.rem4', [[2, [[1, hash]]]]))],
  ['CORIM_AUTHORITY', 'of a component', component((_, whole) => void whole.set(2, keyList))],
  ['CORIM_AUTHORITY', 'of a key', triples({ 3: [[keyEnvironment, keyList, new Map([[0, 1]])]] })],
  ['CORIM_AUTHORITY', 'of a configuration', platform(configuration([4, tagged(hash)]).set(2, keyList))],
  ['CORIM_AUTHORITY', 'of a realm', realmWith(measurement('cca.rim', [[2, [[1, forgedRealm.rim]]]]).set(2, keyList))],
  ['CORIM_DIGESTS', 'none', component((values) => void values.delete(2))],
  ['CORIM_DIGESTS', 'SHA-3', component((values) => void values.set(2, [[10, hash]]))],
  [
    'CORIM_DIGESTS',
    'two of a realm',
    realmWith(
      measurement('cca.rim', [
        [
          2,
          [
            [1, forgedRealm.rim],
            [10, hash],
          ],
        ],
      ]),
    ),
  ],
  ['CORIM_SIGNER_ID', 'none', component((values) => void values.delete(13))],
  ['CORIM_SIGNER_ID', 'a key', component((values) => void values.set(13, keyList))],
  ['CORIM_SIGNER_ID', 'two', component((values) => void values.set(13, [tagged(hash), tagged(hash)]))],
  ['CORIM_SIGNER_ID', 'of 24 bytes', component((values) => void values.set(13, [tagged(hash.subarray(8))]))],
  [
    'CORIM_VERSION',
    'with a scheme',
    component(
      (values) =>
        void values.set(
          0,
          new Map<number, CborValue>([
            [0, '1'],
            [1, 16384],
          ]),
        ),
    ),
  ],
  ['CORIM_RAW_VALUE', 'no configuration', platform(configuration([2, [[1, hash]]]))],
  ['CORIM_RAW_VALUE', 'a long configuration', platform(configuration([4, tagged(new Uint8Array(257))]))],
  ['CORIM_RAW_VALUE', 'a short personalization value', realmWith(rim, measurement('cca.rpv', [[4, tagged(hash)]]))],
  [
    'CORIM_RAW_VALUE',
    'a masked personalization value',
    realmWith(
      rim,
      measurement('cca.rpv', [
        [4, tagged(new Uint8Array(64))],
        [5, new Uint8Array(64)],
      ]),
    ),
  ],
  ['CORIM_VALUES', 'an SVN', component((values) => void values.set(1, 7))],
  ['CORIM_VALUES', 'a raw value', component((values) => void values.set(4, tagged(hash)))],
  ['CORIM_VALUES', 'an extension', component((values) => void values.set(-1, 1))],
  ['CORIM_VALUES', 'a name of a configuration', platform(configuration([4, tagged(hash)], [11, 'cfg']))],
  [
    'CORIM_VALUES',
    'a name of a register',
    realmWith(
      measurement('cca.rim', [
        [2, [[1, forgedRealm.rim]]],
        [11, 'RIM'],
      ]),
    ),
  ],
  ['CORIM_DOUBLED', 'the key of an instance', triples({ 3: [armKeyTriple(deviceKeys), armKeyTriple(strangerKeys)] })],
  ['CORIM_DOUBLED', 'a configuration', platform(configuration([4, tagged(hash)]), configuration([4, tagged(hash)]))],
  ['CORIM_DOUBLED', 'a register', realmWith(rim, rim)],
  ['CORIM_RIM', 'none', realmWith(measurement('cca.rem0', [[2, [[1, hash]]]]))],
  ['CORIM_RIM', 'another than that of the environment', realmWith(measurement('cca.rim', [[2, [[1, hash]]]]))],
  [
    'CORIM_NOT_MAPPABLE',
    'a configuration without software',
    triples({ 0: [[armEnvironment(), [configuration([4, tagged(hash)])]]] }, corimUri(PLATFORM)),
  ],
  [
    'CORIM_NOT_MAPPABLE',
    'realms that differ in a register',
    realms(realmTriple(), realmTriple(new Uint8Array(32), ['cca.rem0', hash])),
  ],
  ['CORIM_EMPTY', 'endorsed values alone', triples({ 1: [armReferenceTriple(PSA_COMPONENT, forgedArmComponents())] })],
  ['CORIM_EMPTY', 'a realm manifest with a key', triples({ 3: [armKeyTriple(deviceKeys)] }, corimUri(REALM))],
];

const sha384 = new Uint8Array(48).fill(0x38);
const chip = Uint8Array.from([0x2b, 6, 1, 4, 1, 0x9c, 0x78, 3, 1]);
const guest = (
  measurements: readonly CborValue[],
  environment: readonly (readonly [number, CborValue])[] = [],
): CborValue => [
  new Map<number, CborValue>([[0, new Map([[0, new CborTag(111, chip)]])], ...environment]),
  measurements,
];
const field = (number: number, digest: Uint8Array = sha384) => measurement(number, [[2, [[7, digest]]]]);
const snp = (...list: readonly CborValue[]): CorimScenario => triples({ 0: list }, corimUri(SNP));
const tee = (value: CborValue, key?: CborValue): CborValue => guest([measurement(key, [[-83, value]])]);
const intel = (...list: readonly CborValue[]): CorimScenario => triples({ 0: list }, INTEL);

/** Manifests about guests of other TEEs. */
export const guestFailures: readonly CorimFailure[] = [
  ['CORIM_CLASS', 'SNP, of another OID', snp([new Map([[0, new Map([[0, new CborTag(111, hash)]])]]), [field(641)]])],
  ['CORIM_NOT_MAPPABLE', 'SNP, of one chip', snp(guest([field(641)], [[1, tagged(hash)]]))],
  [
    'CORIM_NOT_MAPPABLE',
    'SNP, a guest policy',
    snp(guest([field(641), measurement(2, [[4, tagged(hash.subarray(24))]])])),
  ],
  ['CORIM_NOT_MAPPABLE', 'SNP, without a measurement', snp(guest([field(643)]))],
  [
    'CORIM_NOT_MAPPABLE',
    'SNP, a range of VMPLs',
    snp(guest([field(641), measurement(5, [[15, new CborTag(564, [0, 1])]])])),
  ],
  [
    'CORIM_NOT_MAPPABLE',
    'SNP, guests with different id keys',
    snp(guest([field(641), field(643)]), guest([field(641), field(643, new Uint8Array(48))])),
  ],
  ['CORIM_DOUBLED', 'SNP, a measurement', snp(guest([field(641), field(641)]))],
  ['CORIM_DIGESTS', 'SNP, of another hash', snp(guest([measurement(641, [[2, [[1, hash]]]])]))],
  ['CORIM_AUTHORITY', 'SNP', snp(guest([field(641).set(2, keyList)]))],
  ['CORIM_EMPTY', 'SNP, keys alone', triples({ 3: [armKeyTriple(deviceKeys)] }, corimUri(SNP))],
  ['CORIM_NOT_MAPPABLE', 'Intel, not a member', intel(tee(new CborTag(60_020, [7, [[7, sha384]]])))],
  [
    'CORIM_NOT_MAPPABLE',
    'Intel, an SVN',
    intel(
      guest([
        measurement(undefined, [
          [-83, [7, sha384]],
          [-73, 5],
        ]),
      ]),
    ),
  ],
  ['CORIM_NOT_MAPPABLE', 'Intel, an SVN alone', intel(guest([measurement(undefined, [[-73, 5]])]))],
  ['CORIM_NOT_MAPPABLE', 'Intel, another hash', intel(tee([8, new Uint8Array(64)]))],
  [
    'CORIM_NOT_MAPPABLE',
    'Intel, of one platform',
    intel(guest([measurement(83, [[2, [[7, sha384]]]])], [[1, tagged(hash)]])),
  ],
  ['CORIM_NOT_MAPPABLE', 'Intel, two measurements', intel(guest([field(83), field(84)]))],
  ['CORIM_DIGESTS', 'Intel, no digest', intel(tee([7]))],
  ['CORIM_AUTHORITY', 'Intel', intel(guest([field(83).set(2, keyList)]))],
  ['CORIM_EMPTY', 'Intel, keys alone', triples({ 3: [armKeyTriple(deviceKeys)] }, INTEL)],
];
