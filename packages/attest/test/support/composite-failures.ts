import type { ErrorCode } from '@fastness/codec/errors';
import type { Cmw } from '../../src/index.ts';
import type { CompositeScenario } from './composite-forge.ts';

/** A collection in which exactly one thing is wrong, and the code that must say so. */
export type CompositeFailure = readonly [code: ErrorCode, what: string, scenario: CompositeScenario];

/** Two chips of one line. */
export const two = { gpu0: { chain: { chipSerial: 0x1001n } }, gpu1: { chain: { chipSerial: 0x1002n } } };
export const bytes = (value: number) => new Uint8Array(32).fill(value);

const without = (label: string) => (records: Map<string, Cmw>) => {
  records.delete(label);
  return records;
};

export const compositeFailures: readonly CompositeFailure[] = [
  ['ATTEST_COLLECTION_UNSUPPORTED', 'without a type', { type: null }],
  ['ATTEST_COLLECTION_UNSUPPORTED', 'of another type', { type: 'tag:example.org,2026:other' }],
  ['ATTEST_CPU_NOT_ONE', 'without a processor', { records: without('cpu0') }],
  [
    'ATTEST_CPU_NOT_ONE',
    'of two processors',
    { records: (records) => new Map([...records, ['cpu1', records.get('cpu0') ?? never()]]) },
  ],
  [
    'ATTEST_LABEL_MISMATCH',
    'whose processor has another number',
    {
      records: (records) => new Map([...records].map(([label, record]) => [label === 'cpu0' ? 'cpu1' : label, record])),
    },
  ],
  [
    'ATTEST_LABEL_MISMATCH',
    'with evidence that can only stand alone',
    {
      records: (records) =>
        new Map([...records, ['psa0', { type: 'application/psa-attestation-token', value: bytes(1) }]]),
    },
  ],
  ['ATTEST_LABEL_MISMATCH', 'whose GPU is labelled as a processor', { gpus: { cpu1: {} } }],
  ['ATTEST_LABEL_MISMATCH', 'whose label has no number', { gpus: { gpu: {} } }],
  ['ATTEST_LABEL_MISMATCH', 'whose label has another number form', { gpus: { gpu01: {} } }],
  ['ATTEST_DEVICE_NOT_ALLOWED', 'with a device that the policy does not list', { policy: { devices: undefined } }],
  [
    'ATTEST_DEVICE_NOT_ALLOWED',
    'with a device of another kind',
    { policy: { devices: [{ kind: 'tpm', minimum: 0, maximum: 1 }] } },
  ],
  ['ATTEST_DEVICE_MISSING', 'of too few devices', { policy: { devices: [{ kind: 'nvidia-gpu', minimum: 2 }] } }],
  [
    'ATTEST_DEVICE_TOO_MANY',
    'of too many devices',
    { gpus: two, policy: { devices: [{ kind: 'nvidia-gpu', minimum: 1 }] } },
  ],
  ['ATTEST_TEE_NOT_ALLOWED', 'with a device without a section', { policy: { nvidiaGpu: undefined } }],
  ['ATTEST_DEVICE_IDENTITY_REPEATED', 'that shows one device twice', { gpus: { gpu0: {}, gpu1: {} } }],
  [
    'ATTEST_DEVICE_EVIDENCE_REPEATED',
    'that brings one report twice',
    { records: (records) => new Map([...records, ['gpu1', records.get('gpu0') ?? never()]]) },
  ],
  ['SNP_REPORT_DATA_MISMATCH', 'whose digest misses a device', { gpus: two, digested: without('gpu1') }],
  ['SNP_REPORT_DATA_MISMATCH', 'whose digest has a device more', { gpus: two, records: without('gpu1') }],
  [
    'SNP_REPORT_DATA_MISMATCH',
    'that leaves every device out',
    {
      records: without('gpu0'),
      policy: { devices: undefined, nvidiaGpu: undefined },
      endorsements: ([cpu]) => (cpu === undefined ? [] : [cpu]),
    },
  ],
  [
    'SNP_REPORT_DATA_MISMATCH',
    'whose devices were exchanged',
    {
      gpus: two,
      records: (records) => new Map([...records].map(([label]) => [label, records.get(swapped(label)) ?? never()])),
    },
  ],
  ['SNP_REPORT_DATA_MISMATCH', 'of a broker shown to a client', { expected: { purpose: 'client' } }],
  ['SNP_REPORT_DATA_MISMATCH', 'over another nonce', { expected: { nonce: bytes(9) } }],
  ['SNP_REPORT_DATA_MISMATCH', 'of other keys', { expected: { keyConfigDigest: bytes(9) } }],
  ['SNP_REPORT_DATA_MISMATCH', 'of another release', { expected: { releaseDigest: bytes(9) } }],
  ['NVIDIA_NONCE_MISMATCH', 'whose GPU answered as another', { askedAs: { gpu0: 'gpu1' } }],
  [
    'ATTEST_ENDORSEMENT_UNSUPPORTED',
    'with an endorsement of nothing in it',
    { endorsements: (all) => [...all, { type: 'a/b', value: bytes(1) }] },
  ],
];

function swapped(label: string): string {
  if (label === 'cpu0') return label;
  return label === 'gpu0' ? 'gpu1' : 'gpu0';
}

function never(): never {
  throw new Error('absent');
}
