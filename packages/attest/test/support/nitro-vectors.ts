import { decodePem, fromHex, toHex } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { awsAnchors, parseAttestationPolicy, type VerifyEvidenceOptions, type WaivableCheck } from '../../src/index.ts';
import { encodeNitroEvidence, parse } from '../../src/formats/nitro/index.ts';
import { fromAnyBase64, jsonText, readVector, readVectorText } from './vectors.ts';

/** A recorded document: where it is, when it is judged, and what the verdict must be. */
export interface NitroVector {
  readonly name: string;
  /** The file that the row of the index begins with. */
  readonly row: string;
  readonly tee: 'aws-nitro' | 'aws-nitrotpm';
  readonly document: () => Uint8Array;
  readonly at: string;
  readonly verdict: 'accept' | ErrorCode;
  /** The last second at which the leaf was valid. */
  readonly until: string;
}

const evervault = 'nitro/evervault__attestation-doc-validation/test-data';
const raTls = `${evervault}/beta/non-debug-cert-containing-attestation-document-18-1-23-der.crt`;
const dstack = 'nitro/Dstack-TEE__dstack/dstack/dstack-attest/tests/nitro_attestation_dbg.bin';
const vaportpm = 'nitrotpm/lockboot__vaportpm/crates/vaportpm-verify/test-nitro-fixture.json';

export const nitroVectors: readonly NitroVector[] = [
  {
    name: 'evervault, enclave',
    row: `${evervault}/beta/valid-attestation-doc-bytes`,
    tee: 'aws-nitro',
    document: () => readVector(`${evervault}/beta/valid-attestation-doc-bytes`),
    at: '2022-10-13T09:30:00Z',
    verdict: 'accept',
    until: '2022-10-13T11:58:02Z',
  },
  {
    name: 'evervault, debug enclave shipped as valid',
    row: `${evervault}/valid-attestation-doc-base64`,
    tee: 'aws-nitro',
    document: () => fromAnyBase64(readVectorText(`${evervault}/valid-attestation-doc-base64`).trim()),
    at: '2023-09-18T15:30:00Z',
    verdict: 'NITRO_DEBUG',
    until: '2023-09-18T17:37:12Z',
  },
  {
    name: 'evervault, inside a certificate',
    row: raTls,
    tee: 'aws-nitro',
    document: () => inSubjectAltName(readVector(raTls)),
    at: '2023-01-18T13:30:00Z',
    verdict: 'accept',
    until: '2023-01-18T16:07:16Z',
  },
  {
    name: 'evervault, debug enclave inside a certificate',
    row: raTls,
    tee: 'aws-nitro',
    document: () => {
      const [der] = decodePem(
        readVectorText(`${evervault}/beta/debug-mode-cert-containing-attestation-doc-18-1-23.pem`),
        'CERTIFICATE',
      );
      return inSubjectAltName(der ?? new Uint8Array());
    },
    at: '2023-01-18T15:30:00Z',
    verdict: 'NITRO_DEBUG',
    until: '2023-01-18T18:10:30Z',
  },
  {
    name: 'dstack, debug enclave',
    row: dstack,
    tee: 'aws-nitro',
    // In an envelope of its own: two bytes of kind, the length as a SCALE compact integer, then the document.
    document: () => {
      const bytes = readVector(dstack);
      const length = ((bytes[2] ?? 0) | ((bytes[3] ?? 0) << 8)) >> 2;
      return bytes.subarray(4, 4 + length);
    },
    at: '2025-12-25T09:00:00Z',
    verdict: 'NITRO_DEBUG',
    until: '2025-12-25T11:20:46Z',
  },
  {
    name: 'vaportpm, NitroTPM',
    row: vaportpm,
    tee: 'aws-nitrotpm',
    document: () => fromHex(jsonText(JSON.parse(readVectorText(vaportpm)), 'attestation', 'nitro', 'document')),
    at: '2026-02-03T10:30:00Z',
    verdict: 'accept',
    until: '2026-02-03T13:12:02Z',
  },
];

/** Members of the NitroTPM fixture that its document must agree with, hex. */
export function nitroTpmFixture(...path: string[]): string {
  return jsonText(JSON.parse(readVectorText(vaportpm)), ...path);
}

/** Evervault writes the document in hex into a DNS name of a certificate. */
function inSubjectAltName(certificate: Uint8Array): Uint8Array {
  const [hex = ''] = /8444a1013822[0-9a-f]+/.exec(String.fromCodePoint(...certificate)) ?? [];
  return fromHex(hex);
}

/** What a test changes about the judgement of a document. */
export interface NitroChange {
  readonly at?: string;
  readonly waive?: readonly WaivableCheck[];
  readonly section?: object;
  readonly expected?: Uint8Array;
}

/** Everything that verifies a recorded document, under a policy that pins every register and expects what its producer bound. */
export function nitroOptions(vector: NitroVector, change: NitroChange = {}): VerifyEvidenceOptions {
  const evidence = encodeNitroEvidence(vector.document(), vector.tee);
  const { document } = parse(evidence);
  const binding = (document.nonce?.length ?? 0) >= 32 ? 'nonce' : 'user-data';
  const pcrs = Object.fromEntries([...document.pcrs].map(([index, value]) => [index, [toHex(value)]]));
  const section = {
    measurements: pcrs[vector.tee === 'aws-nitro' ? 0 : 4],
    pcrs,
    binding,
    maxAgeSeconds: 10_800,
    ...change.section,
  };
  const bound = binding === 'nonce' ? document.nonce : document.userData;
  return {
    evidence,
    endorsements: [],
    policy: parseAttestationPolicy({
      version: 1,
      id: 'recorded-documents',
      [vector.tee === 'aws-nitro' ? 'nitro' : 'nitroTpm']: section,
      waivers: (change.waive ?? []).map((check) => ({ check, reason: 'recorded document' })),
    }),
    anchors: awsAnchors,
    expectedReportData: change.expected ?? bound ?? new Uint8Array(),
    now: new Date(change.at ?? vector.at),
  };
}
