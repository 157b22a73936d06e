import { forgedMeasurements, nvidiaFields } from '@fastness/testkit';
import { nonce, references, type NvidiaScenario } from './nvidia-forge.ts';
import type { NvidiaFailure } from './nvidia-failures-report.ts';

const field = (id: number, ...value: number[]): NvidiaScenario => ({
  report: { fields: (fields) => void fields.set(id, Uint8Array.from(value)) },
});
const measured = (index: number, byte: number): NvidiaScenario => ({
  report: { measurements: new Map([...forgedMeasurements(), [index, new Uint8Array(48).fill(byte)] as const]) },
});
const unmeasured = (index: number): NvidiaScenario => ({
  report: { measurements: new Map([...forgedMeasurements()].filter(([each]) => each !== index)) },
});
const hex = (byte: string, bytes: number): string => byte.repeat(bytes);

export const appraisalFailures: readonly NvidiaFailure[] = [
  ['NVIDIA_NONCE_MISMATCH', 'for another session', { expectedReportData: nonce.toReversed() }],
  ['NVIDIA_NONCE_MISMATCH', 'the nonce of the response', { expectedReportData: new Uint8Array(32).fill(0x5a) }],
  ['ATTEST_ARGUMENT_INVALID', 'no nonce', { expectedReportData: new Uint8Array() }],
  ...([1, 2, 3] as const).map((flag): NvidiaFailure => [
    'NVIDIA_DEVICE_INSECURE',
    `flag ${flag}`,
    { chain: { chip: 'GB100', flags: [flag, 31] } },
  ]),
  ['NVIDIA_ARCHITECTURE_NOT_ALLOWED', 'Hopper', { section: { architectures: ['blackwell'] } }],
  [
    'NVIDIA_ARCHITECTURE_NOT_ALLOWED',
    'Blackwell',
    { chain: { chip: 'GB100' }, section: { architectures: ['hopper'] } },
  ],
  ['NVIDIA_DEVICE_NOT_ALLOWED', 'not listed', { section: { devices: { allow: ['42'] } } }],
  ['NVIDIA_DEVICE_DENIED', 'listed', { section: { devices: { deny: ['410011223344556677'] } } }],
  ['NVIDIA_DEVICE_DENIED', 'a switch', { kind: 'nvswitch', section: { devices: { deny: ['410011223344556677'] } } }],
  ['NVIDIA_MODE_CONTRADICTORY', 'protected PCIe on, and alone', field(nvidiaFields.protectedPcieStatus, 0xaa)],
  ['NVIDIA_MODE_CONTRADICTORY', 'protected PCIe off, and its mode', field(nvidiaFields.featureFlag, 2, 0)],
  ['NVIDIA_MODE_NOT_ALLOWED', 'alone', { section: { modes: ['mpt'] } }],
  [
    'NVIDIA_MODE_NOT_ALLOWED',
    'protected PCIe, where the policy does not name it',
    {
      report: {
        fields: (fields) => {
          fields.set(nvidiaFields.protectedPcieStatus, Uint8Array.of(0xaa));
          fields.set(nvidiaFields.featureFlag, Uint8Array.of(2, 0));
        },
      },
    },
  ],
  [
    'NVIDIA_MODE_NOT_ALLOWED',
    'not stated, where the policy wants it stated',
    {
      report: {
        fields: (fields) => {
          fields.delete(nvidiaFields.version);
          fields.delete(nvidiaFields.featureFlag);
        },
      },
      section: { modes: ['spt'] },
    },
  ],
  ['NVIDIA_SETTINGS_ABSENT', 'not collected', { settings: null }],
  ['NVIDIA_CC_OFF', 'off', { settings: { confidentialComputing: false, developerTools: false } }],
  ['NVIDIA_DEVTOOLS', 'on', { settings: { confidentialComputing: true, developerTools: true } }],
  ['NVIDIA_DRIVER_NOT_ALLOWED', 'older', { section: { minimumDriverVersion: '580.100' } }],
  ['NVIDIA_DRIVER_NOT_ALLOWED', 'older by a part', { section: { minimumDriverVersion: '580.95.05.1' } }],
  ['NVIDIA_DRIVER_NOT_ALLOWED', 'denied', { section: { deniedDriverVersions: ['580.95.05'] } }],
  ['NVIDIA_VBIOS_NOT_ALLOWED', 'not listed', { section: { vbiosVersions: { allow: ['96.00.5E.00.02'] } } }],
  ['NVIDIA_VBIOS_NOT_ALLOWED', 'denied', { section: { vbiosVersions: { deny: ['96.00.5E.00.01'] } } }],
  [
    'NVIDIA_VBIOS_NOT_ALLOWED',
    'firmware of a switch',
    { kind: 'nvswitch', section: { vbiosVersions: { deny: ['96.10.55.00.01'] } } },
  ],
  ['NVIDIA_INDEX_CONFLICT', '7 in both', { vbiosRim: { measurements: references([0, 1, 2, 3, 4, 5, 6, 7, 8]) } }],
  [
    'NVIDIA_INDEX_CONFLICT',
    '35 in both, which is not compared',
    { vbiosRim: { measurements: references([0, 1, 2, 3, 4, 5, 6, 35]) } },
  ],
  ['NVIDIA_MEASUREMENT_MISSING', 'of the driver', unmeasured(40)],
  ['NVIDIA_MEASUREMENT_MISSING', 'of the VBIOS, which is zero', unmeasured(0)],
  ['NVIDIA_MEASUREMENT_MISMATCH', 'of the driver', measured(7, 0x70)],
  ['NVIDIA_MEASUREMENT_MISMATCH', 'of the VBIOS', measured(12, 0x70)],
  ['NVIDIA_MEASUREMENT_MISMATCH', 'zero', measured(12, 0)],
  ['NVIDIA_MEASUREMENT_MISMATCH', 'something where nothing may be', measured(0, 1)],
  [
    'NVIDIA_MEASUREMENT_MISMATCH',
    '35 of a GPU with NVDEC0',
    {
      report: {
        ...measured(35, 0x70).report,
        fields: (fields) => void fields.set(nvidiaFields.nvdec0Status, Uint8Array.of(0xaa)),
      },
    },
  ],
  [
    'NVIDIA_MEASUREMENT_MISMATCH',
    "where the driver's document is waived",
    { ...measured(12, 0x70), rims: (rims) => rims.slice(1), waive: ['NVIDIA_RIM_MISSING'] },
  ],
  ['NVIDIA_MEASUREMENT_UNCOVERED', 'one more', measured(41, 0x41)],
  [
    'NVIDIA_MEASUREMENT_UNCOVERED',
    'one that a document no longer lists',
    { driverRim: { measurements: references([7]) } },
  ],
  ['NVIDIA_MEASUREMENT_NOT_ALLOWED', 'another set', { section: { measurements: [hex('5a', 48)] } }],
];
