import { CborTag, type CborValue } from '@fastness/codec/cbor';
import {
  armComponentMeasurement,
  armEnvironment,
  armKeyTriple,
  armReferenceTriple,
  corimUri,
  forgedArmComponents,
  forgedArmDevice,
  forgedRealm,
} from '@fastness/testkit';
import { CCA_COMPONENT, measurement, PLATFORM, PSA_COMPONENT, REALM, realmTriple } from './arm-corims.ts';
import { deviceKeys, edKeys, strangerKeys } from './arm-forge.ts';
import {
  SNP,
  INTEL,
  type CorimFailure,
  type CorimScenario,
  triples,
  bl,
  component,
  keyEnvironment,
  keyList,
  pem,
  keyed,
  hash,
} from './corim-forge.ts';

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
