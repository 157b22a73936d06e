import { fromBase64, fromHex } from '@fastness/codec';
import { decodePem } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import {
  parseAttestationPolicy,
  vendorAnchors,
  type VerifyEvidenceOptions,
  type WaivableCheck,
} from '../../src/index.ts';
import { encodeNvidiaEndorsements, encodeNvidiaEvidence, parse } from '../../src/formats/nvidia/index.ts';
import { jsonText, readVector, readVectorText } from './vectors.ts';

/** A recorded report: where it is, what belongs to it, when it is judged, and what the verdict must be. */
export interface NvidiaCase {
  readonly name: string;
  /** The first file of its row in the index. */
  readonly row: string;
  readonly tee: 'nvidia-gpu' | 'nvidia-nvswitch';
  readonly report: () => Uint8Array;
  /** DER, leaf first. */
  readonly certificates: () => readonly Uint8Array[];
  readonly rims: readonly string[];
  readonly at: string;
  readonly verdict: 'accept' | ErrorCode;
  /** Waivers without which it is refused, each for something that was not recorded. */
  readonly waived: readonly WaivableCheck[];
  /** What the claims must hold, when it is accepted. */
  readonly claims?: object;
}

/** A recorded reference document that no recorded report asks for. */
export interface RimCase {
  readonly name: string;
  readonly file: string;
  /** A time at which its certificates are valid. */
  readonly at: string;
  readonly verdict: 'accept' | ErrorCode;
}

const sdk = 'nvidia/NVIDIA__attestation-sdk';
const unitTests = `${sdk}/nv-attestation-sdk-cpp/unit-tests/testdata`;
const samples = `${unitTests}/sample_attestation_data`;
const sampleRims = `${unitTests}/sample_rims`;
const serialized = `${sdk}/common-test-data/serialized_test_evidence`;
export const nvtrust = 'nvidia/NVIDIA__nvtrust/guest_tools/gpu_verifiers/local_gpu_verifier/src/verifier/samples';
const trustee = 'nvidia/confidential-containers__trustee/deps/verifier/test_data/nvidia';
const switchRim = `${unitTests}/switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml`;
const wrongSwitchRim = `${sampleRims}/NV_SWITCH_BIOS_5612_0002_890_9610550001_measurement_mismatch.xml`;
export const vbiosRim = `${nvtrust}/1010_0200_882_96005E0001_PROD.swidtag`;
/** NVIDIA made this name for documents; the file was edited after it was signed. */
const editedDriverRim = `${sampleRims}/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml`;
const expiredDriverRim = `${sampleRims}/NV_GPU_DRIVER_GH100_570.124.03_expired.xml`;

const hexFile = (path: string) => () => fromHex(readVectorText(path).trim());
const pemFile = (path: string) => () => decodePem(readVectorText(path), 'CERTIFICATE');

/** Evidence as NVIDIA's collector serialises it: base64 of the report and of the chain in PEM. */
const entry = (file: string, index: string) => ({
  report: () => fromBase64(jsonText(JSON.parse(readVectorText(file)), index, 'evidence')),
  certificates: () => {
    const pem = new TextDecoder().decode(fromBase64(jsonText(JSON.parse(readVectorText(file)), index, 'certificate')));
    return decodePem(pem, 'CERTIFICATE');
  },
});

/** No OCSP response was recorded, and no collector recorded the settings of its driver. */
const notRecorded = ['NVIDIA_OCSP_MISSING', 'NVIDIA_SETTINGS_ABSENT'] as const;
/** Driver documents are not in the public samples. */
const noDocuments = [...notRecorded, 'NVIDIA_RIM_MISSING'] as const;

const hopper535 = {
  row: `${samples}/gpu/hopperAttestationReport.txt`,
  tee: 'nvidia-gpu',
  report: hexFile(`${samples}/gpu/hopperAttestationReport.txt`),
  certificates: pemFile(`${samples}/gpu/hopperCertChain.txt`),
  waived: [...noDocuments, 'NVIDIA_FWID_ABSENT'],
} as const;
const hopper570 = {
  row: `${samples}/gpu/hopperAttestationReportExpired.txt`,
  tee: 'nvidia-gpu',
  report: hexFile(`${samples}/gpu/hopperAttestationReportExpired.txt`),
  certificates: pemFile(`${samples}/gpu/hopperCertChainExpired.txt`),
  rims: [`${nvtrust}/1010_0205_862_96005E0004_PROD.swidtag`, expiredDriverRim],
} as const;
const ls10 = {
  row: `${samples}/switch/switchAttestationReport.txt`,
  tee: 'nvidia-nvswitch',
  report: hexFile(`${samples}/switch/switchAttestationReport.txt`),
  certificates: pemFile(`${samples}/switch/switchCertChain.txt`),
  at: '2026-11-23T12:00:00Z',
  waived: ['NVIDIA_OCSP_MISSING'],
} as const;
const hold = `${serialized}/hopper_evidence_cert_hold.json`;
export const multiSwitch = `${serialized}/multi_switch_ls10.json`;

/** The file holds one report four times. */
function repeatedSwitch(index: string): NvidiaCase {
  return {
    ...entry(multiSwitch, index),
    name: `LS10, entry ${index} of four that are one`,
    row: multiSwitch,
    tee: 'nvidia-nvswitch',
    rims: [switchRim],
    at: '2026-11-23T12:00:00Z',
    verdict: 'accept',
    waived: ['NVIDIA_OCSP_MISSING'],
    claims: { pdi: '203eb31ad9ed0008' },
  };
}

export const nvidiaCases: readonly NvidiaCase[] = [
  {
    ...hopper535,
    name: 'H100, driver 535, without the document of its driver',
    rims: [vbiosRim],
    at: '2025-06-01T12:00:00Z',
    verdict: 'accept',
    claims: {
      architecture: 'hopper',
      driverVersion: '535.86.09',
      vbiosVersion: '96.00.5E.00.01',
      mode: 'unstated',
      ueid: '395803620356496203949105887342232667833655422354',
      references: [{ role: 'vbios', version: '96.00.5E.00.01', measurements: 12 }],
    },
  },
  {
    ...hopper535,
    name: 'H100, driver 535, with an edited document of its driver',
    row: editedDriverRim,
    rims: [vbiosRim, editedDriverRim],
    at: '2025-06-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_DIGEST',
  },
  {
    ...hopper535,
    name: 'H100, driver 535, with another edition of the document of its VBIOS',
    row: `${sampleRims}/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml`,
    rims: [`${sampleRims}/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml`],
    at: '2025-06-01T12:00:00Z',
    verdict: 'NVIDIA_MEASUREMENT_MISMATCH',
  },
  {
    ...hopper535,
    name: 'H100, driver 535, with the document of its VBIOS on the day of writing',
    row: nvtrust,
    rims: [vbiosRim],
    at: '2026-11-23T12:00:00Z',
    verdict: 'NVIDIA_RIM_VALIDITY',
  },
  {
    name: 'a report with the certificates of another GPU',
    row: `${samples}/gpu/hopperAttestationReportInvalidSignature.txt`,
    tee: 'nvidia-gpu',
    report: hexFile(`${samples}/gpu/hopperAttestationReportInvalidSignature.txt`),
    certificates: pemFile(`${samples}/gpu/hopperCertChain.txt`),
    rims: [],
    at: '2025-06-01T12:00:00Z',
    verdict: 'NVIDIA_REPORT_SIGNATURE',
    waived: noDocuments,
  },
  {
    ...hopper570,
    name: 'H100, driver 570, with an expired document of its driver',
    at: '2025-06-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_VALIDITY',
    waived: notRecorded,
  },
  {
    ...hopper570,
    name: 'H100, driver 570, whose expired document was edited as well',
    at: '2025-06-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_DIGEST',
    waived: [...notRecorded, 'NVIDIA_RIM_VALIDITY'],
  },
  {
    ...hopper570,
    name: 'H100, driver 570, without any document',
    rims: [],
    at: '2025-06-01T12:00:00Z',
    verdict: 'accept',
    waived: noDocuments,
    claims: { driverVersion: '570.124.03', vbiosVersion: '96.00.5E.00.04' },
  },
  {
    // NVIDIA signed documents of these VBIOS versions anew with another digest at index 9; only the older one was recorded.
    ...hopper570,
    name: 'H100, driver 570, with the older document of its VBIOS',
    rims: [`${nvtrust}/1010_0205_862_96005E0004_PROD.swidtag`],
    at: '2025-06-01T12:00:00Z',
    verdict: 'NVIDIA_MEASUREMENT_MISMATCH',
    waived: noDocuments,
  },
  {
    name: 'GB100',
    row: `${samples}/gpu/blackwellAttestationReport.txt`,
    tee: 'nvidia-gpu',
    report: hexFile(`${samples}/gpu/blackwellAttestationReport.txt`),
    certificates: pemFile(`${samples}/gpu/blackwellCertChain.txt`),
    rims: [],
    at: '2026-11-23T12:00:00Z',
    verdict: 'accept',
    waived: noDocuments,
    claims: { architecture: 'blackwell', chip: 'GB100', driverVersion: '575.32', vbiosVersion: '97.00.88.00.0F' },
  },
  {
    // That the certificate was on hold is known from OCSP alone, and no response was recorded: see the forged ones.
    ...entry(hold, '0'),
    name: 'H100 whose certificate was on hold, as far as its evidence goes',
    row: hold,
    tee: 'nvidia-gpu',
    rims: [],
    at: '2026-11-23T12:00:00Z',
    verdict: 'accept',
    waived: noDocuments,
    claims: { driverVersion: '570.86.10' },
  },
  {
    ...entry(hold, '0'),
    name: 'H100 whose certificate was on hold, without any word about revocation',
    row: hold,
    tee: 'nvidia-gpu',
    rims: [],
    at: '2026-11-23T12:00:00Z',
    verdict: 'NVIDIA_OCSP_MISSING',
    waived: ['NVIDIA_SETTINGS_ABSENT', 'NVIDIA_RIM_MISSING'],
  },
  {
    ...ls10,
    name: 'LS10, with the document of its firmware',
    rims: [switchRim],
    verdict: 'accept',
    claims: {
      architecture: 'ls10',
      vbiosVersion: '96.10.55.00.01',
      pdi: '203eb31ad9ed0008',
      references: [{ role: 'vbios', version: '96.10.55.00.01', measurements: 31 }],
      uncovered: [],
    },
  },
  {
    ...ls10,
    name: 'LS10, with a document whose signature was cut out of another',
    row: editedDriverRim,
    rims: [`${sampleRims}/NV_SWITCH_BIOS_5612_0002_890_9610550001_invalid_signature.xml`],
    at: '2026-01-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_DIGEST',
  },
  {
    ...ls10,
    name: 'LS10, with the document of a GPU',
    row: editedDriverRim,
    rims: [wrongSwitchRim],
    verdict: 'NVIDIA_RIM_FOREIGN',
  },
  repeatedSwitch('0'),
  repeatedSwitch('1'),
  repeatedSwitch('2'),
  repeatedSwitch('3'),
  {
    name: 'H100, driver 580, of a CoCo guest, with a zero byte after the report',
    row: `${trustee}/hopper_coco_report1.txt`,
    tee: 'nvidia-gpu',
    report: hexFile(`${trustee}/hopper_coco_report1.txt`),
    certificates: pemFile(`${trustee}/hopper_coco_certs1.txt`),
    rims: [],
    at: '2026-11-23T12:00:00Z',
    verdict: 'accept',
    waived: noDocuments,
    claims: { driverVersion: '580.95.05', mode: 'mpt' },
  },
  {
    name: 'H100, driver 550, of Trustee',
    row: `${trustee}/hopper_coco_report1.txt`,
    tee: 'nvidia-gpu',
    report: hexFile(`${trustee}/hopperAttestationReport.txt`),
    certificates: pemFile(`${trustee}/hopper_cert_chain_case1.txt`),
    rims: [],
    at: '2026-11-23T12:00:00Z',
    verdict: 'accept',
    waived: noDocuments,
    claims: { driverVersion: '550.90.07' },
  },
  {
    name: 'H100, driver 550, of nvtrust',
    row: nvtrust,
    tee: 'nvidia-gpu',
    report: hexFile(`${nvtrust}/hopperAttestationReport.txt`),
    certificates: pemFile(`${nvtrust}/hopperCertChain.txt`),
    rims: [],
    at: '2026-11-23T12:00:00Z',
    verdict: 'accept',
    waived: noDocuments,
    claims: { driverVersion: '550.90.07' },
  },
];

/** A recorded report for the nonce that it answers, under a policy that waives what was not recorded. */
export function nvidiaOptions(one: NvidiaCase): VerifyEvidenceOptions {
  const evidence = encodeNvidiaEvidence({ report: one.report(), certificates: one.certificates(), tee: one.tee });
  return {
    evidence,
    endorsements: [encodeNvidiaEndorsements({ rims: one.rims.map((file) => readVector(file)) })],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'recorded-reports',
      nvidiaGpu: { architectures: ['hopper', 'blackwell'] },
      nvidiaNvswitch: {},
      waivers: one.waived.map((check) => ({ check, reason: 'not recorded' })),
    }),
    anchors: vendorAnchors,
    expectedReportData: parse(evidence).report.nonce,
    now: new Date(one.at),
  };
}

/** Rows of the index that hold no report: tokens of another verifier, refused in `token-vectors.test.ts`. */
export const nvidiaTokenRows: readonly string[] = [
  'nvidia/Dstack-TEE__dstack/dstack/dstack-util/tests/fixtures/gpu_attestation_h100.json',
];

/** Documents whose faults no recorded report can show, at a time at which their certificates are valid. */
export const rimCases: readonly RimCase[] = [
  { name: 'switch firmware', file: switchRim, at: '2026-11-23T12:00:00Z', verdict: 'accept' },
  {
    name: 'a driver with a broken signature',
    file: `${unitTests}/incorrect_signature_driver_rim.xml`,
    at: '2026-01-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_SIGNATURE',
  },
  {
    name: 'GB100 firmware under a root for debugging',
    file: `${unitTests}/incorrect_cert_chain_driver_rim.xml`,
    at: '2026-01-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_ROOT_NOT_PINNED',
  },
  { name: 'an edited driver', file: editedDriverRim, at: '2026-01-01T12:00:00Z', verdict: 'NVIDIA_RIM_DIGEST' },
  {
    name: 'a driver, expired and edited',
    file: expiredDriverRim,
    at: '2026-01-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_VALIDITY',
  },
  { name: 'the same in its one day', file: expiredDriverRim, at: '2025-01-01T12:00:00Z', verdict: 'NVIDIA_RIM_DIGEST' },
  {
    name: 'GPU firmware renamed to that of a switch',
    file: wrongSwitchRim,
    at: '2025-01-01T12:00:00Z',
    verdict: 'NVIDIA_RIM_DIGEST',
  },
];
