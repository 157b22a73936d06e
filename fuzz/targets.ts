// Every reader of bytes that somebody else controls. The rule is the same for all: an input is read, or refused with an error
// of the registry; nothing else is thrown.
import {
  ANDROID_KEY_EVIDENCE_TYPE,
  AZURE_MAA_TOKEN_TYPE,
  AZURE_VTPM_EVIDENCE_TYPE,
  CCA_TOKEN_TYPE,
  cmwCollectionFromCbor,
  cmwCollectionToCbor,
  cmwFromCbor,
  cmwFromJson,
  DCAP_COLLATERAL_TYPE,
  GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE,
  GCP_VTPM_EVIDENCE_TYPE,
  INTEL_TRUST_AUTHORITY_TOKEN_TYPE,
  NITRO_EVIDENCE_TYPE,
  NITRO_TPM_EVIDENCE_TYPE,
  NVIDIA_GPU_EVIDENCE_TYPE,
  NVIDIA_NRAS_EAT_TYPE,
  NVIDIA_NVSWITCH_EVIDENCE_TYPE,
  parseAttestationPolicy,
  PSA_TOKEN_TYPE,
  readEar,
  SGX_QUOTE_TYPE,
  SNP_EVIDENCE_TYPE,
  TDX_EVIDENCE_TYPE,
  TDX_QUOTE_TYPE,
  TPM_EVIDENCE_TYPE,
  TSM_REPORT_TYPE,
} from '@fastness/attest';
import { importCorim } from '@fastness/attest/corim';
import { eventWords, parseEventLog } from '@fastness/attest/event-log';
import { parse as parseAndroidKey } from '@fastness/attest/formats/android-key';
import { parse as parseArmCca } from '@fastness/attest/formats/arm-cca';
import { parse as parseArmPsa } from '@fastness/attest/formats/arm-psa';
import { parse as parseAzureMaa } from '@fastness/attest/formats/azure-maa';
import { parse as parseAzureVtpm } from '@fastness/attest/formats/azure-vtpm';
import { parseDcapCollateral } from '@fastness/attest/formats/dcap';
import { parse as parseConfidentialSpace } from '@fastness/attest/formats/gcp-confidential-space';
import { parse as parseGcpVtpm } from '@fastness/attest/formats/gcp-vtpm';
import { parse as parseTrustAuthority } from '@fastness/attest/formats/intel-trust-authority';
import { parse as parseNitro } from '@fastness/attest/formats/nitro';
import { parse as parseNvidia } from '@fastness/attest/formats/nvidia';
import { parse as parseNras } from '@fastness/attest/formats/nvidia-nras';
import { parse as parseSgx } from '@fastness/attest/formats/sgx';
import { parse as parseSnp } from '@fastness/attest/formats/snp';
import { parse as parseTdx } from '@fastness/attest/formats/tdx';
import { parse as parseTpm } from '@fastness/attest/formats/tpm';
import { defaultGatewayLimits, EhbpFrames, parseKeyConfigList, verifySuccession } from '@fastness/channel';
import { decodeEvidenceExtension } from '@fastness/channel/tls';
import { concatBytes, decodePem, equalBytes, utf8Decode } from '@fastness/codec';
import { decodeCbor, encodeCbor } from '@fastness/codec/cbor';
import { parseEnvelopedData } from '@fastness/codec/cms';
import { decodeSign1 } from '@fastness/codec/cose';
import { FastnessError } from '@fastness/codec/errors';
import { parseOcspResponse } from '@fastness/codec/ocsp';
import { parseCertificate, parseCrl, parseSpki } from '@fastness/codec/x509';
import { canonicaliseXml, parseXml } from '@fastness/codec/xml';
import {
  decodeEntries,
  encodeEntry,
  parseAddCheckpoint,
  parseCheckpoint,
  parseNote,
  parseProof,
  parseVerifierKey,
} from '@fastness/log';
import {
  parseApproval,
  parseOmsBundle,
  parseRelease,
  parseReleasePackage,
  parseStatement,
  readOwnerRoot,
} from '@fastness/model/release';
import { decodeRequest, decodeResponse } from '../packages/channel/src/bhttp/decode.ts';
import { incomplete } from '../packages/channel/src/bhttp/incomplete.ts';
import { PullReader } from '../packages/channel/src/pull-reader.ts';
import { parseManifest } from '../packages/model/src/manifest.ts';
import { parseUpstream } from '../packages/model/src/upstream.ts';
import type { Target } from './engine.ts';

type Read = (input: Uint8Array) => unknown;

/** JSON that does not parse never reaches a reader. */
const json =
  (read: (value: unknown) => unknown): Read =>
  (input) => {
    let value: unknown;
    try {
      value = JSON.parse(utf8Decode(input));
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
    return read(value);
  };
const text =
  (read: (value: string) => unknown): Read =>
  (input) =>
    read(utf8Decode(input));
const evidence =
  (parse: (evidence: { type: string; value: Uint8Array }) => unknown, type: string): Read =>
  (value) =>
    parse({ type, value });
const now = new Date('2026-06-01T12:00:00Z');
/** The same bytes in pieces of which the first says how long they are: what a network cuts must read like the whole. */
const pieces = (input: Uint8Array): (() => Promise<Uint8Array | undefined>) => {
  const size = 1 + (input[0] ?? 0);
  let at = 1;
  return async () => {
    if (at >= input.length) return undefined;
    const piece = input.subarray(at, at + size);
    at += size;
    return piece;
  };
};
const drained = async (next: () => Promise<Uint8Array | undefined>): Promise<void> => {
  while ((await next()) !== undefined);
};
const message =
  (read: typeof decodeRequest | typeof decodeResponse): Read =>
  async (input) => {
    const { nextBody } = await read(new PullReader(pieces(input), incomplete), defaultGatewayLimits);
    await drained(nextBody);
  };
const ehbpFrames: Read = async (input) => {
  const next = pieces(input);
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const piece = await next();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  const frames = new EhbpFrames(stream, { bytes: 65_536, chunks: 1024, code: 'CHANNEL_REQUEST_TOO_LARGE' });
  await drained(() => frames.next());
};
/** Of a key that signed nothing: what is read is read before the signature fails. */
const receiptKey = Uint8Array.from({ length: 32 }, (_, index) => (index === 0 ? 1 : 0));

/** Each reader alone. Throws for a refusal. */
export const reads: Readonly<Record<string, Read>> = {
  certificate: parseCertificate,
  crl: parseCrl,
  spki: parseSpki,
  ocsp: parseOcspResponse,
  pem: text((value) => decodePem(value, 'CERTIFICATE')),
  cbor: (input) => decodeCbor(input),
  cose: (input) => decodeSign1(input),
  xml: (input) => parseXml(input),
  'event-log': (input) => parseEventLog(input),
  'event-words': (input) => parseEventLog(input, { padding: 'accepted' }).events.map((event) => eventWords(event)),
  corim: (input) => importCorim({ corim: input, unsigned: 'caller', now }),
  cmw: json(cmwFromJson),
  // Other writers order labels as they like, so only what our writer makes of them must come back unchanged.
  'cmw-collection': (input) => cmwCollectionFromCbor(input),
  policy: json(parseAttestationPolicy),
  ear: json(readEar),
  'oms-bundle': text(parseOmsBundle),
  approval: text(parseApproval),
  'release-package': json(parseReleasePackage),
  'dcap-collateral': evidence(parseDcapCollateral, DCAP_COLLATERAL_TYPE),
  snp: evidence(parseSnp, SNP_EVIDENCE_TYPE),
  'snp-tsm': evidence(parseSnp, TSM_REPORT_TYPE),
  tdx: evidence(parseTdx, TDX_QUOTE_TYPE),
  'tdx-log': evidence(parseTdx, TDX_EVIDENCE_TYPE),
  sgx: evidence(parseSgx, SGX_QUOTE_TYPE),
  nitro: evidence(parseNitro, NITRO_EVIDENCE_TYPE),
  nitrotpm: evidence(parseNitro, NITRO_TPM_EVIDENCE_TYPE),
  'nvidia-gpu': evidence(parseNvidia, NVIDIA_GPU_EVIDENCE_TYPE),
  'nvidia-nvswitch': evidence(parseNvidia, NVIDIA_NVSWITCH_EVIDENCE_TYPE),
  tpm: evidence(parseTpm, TPM_EVIDENCE_TYPE),
  'gcp-vtpm': evidence(parseGcpVtpm, GCP_VTPM_EVIDENCE_TYPE),
  'azure-vtpm': evidence(parseAzureVtpm, AZURE_VTPM_EVIDENCE_TYPE),
  'arm-psa': evidence(parseArmPsa, PSA_TOKEN_TYPE),
  'arm-cca': evidence(parseArmCca, CCA_TOKEN_TYPE),
  'azure-maa': evidence(parseAzureMaa, AZURE_MAA_TOKEN_TYPE),
  'intel-trust-authority': evidence(parseTrustAuthority, INTEL_TRUST_AUTHORITY_TOKEN_TYPE),
  'gcp-confidential-space': evidence(parseConfidentialSpace, GCP_CONFIDENTIAL_SPACE_TOKEN_TYPE),
  'nvidia-nras': evidence(parseNras, NVIDIA_NRAS_EAT_TYPE),
  'android-key': evidence(parseAndroidKey, ANDROID_KEY_EVIDENCE_TYPE),
  'cmw-record': (input) => cmwFromCbor(input),
  cms: parseEnvelopedData,
  'key-config': parseKeyConfigList,
  'binary-request': message(decodeRequest),
  'binary-response': message(decodeResponse),
  'ehbp-frames': ehbpFrames,
  'signed-claims': async (succession) => verifySuccession({ succession, receiptKey }),
  'tls-evidence': decodeEvidenceExtension,
  'oms-statement': async (input) => parseStatement(input),
  manifest: text(parseManifest),
  release: text(parseRelease),
  'owner-root': text(readOwnerRoot),
  upstream: text(parseUpstream),
  note: text(parseNote),
  'verifier-key': text(parseVerifierKey),
  checkpoint: text(parseCheckpoint),
  'log-proof': text(parseProof),
  // The first byte is how many entries the bundle has to have.
  'log-entries': (input) => decodeEntries(input.subarray(1), input[0] ?? 0),
  'add-checkpoint': parseAddCheckpoint,
};

/** What is read can be written again, as the same bytes; for XML, its canonical form is its own canonical form. */
const writes: Readonly<Record<string, (input: Uint8Array) => readonly [expected: Uint8Array, written: Uint8Array]>> = {
  cbor: (input) => [input, encodeCbor(decodeCbor(input))],
  // Records are written in the order of their labels, whatever the order they came in.
  'cmw-collection': (input) => {
    const form = cmwCollectionToCbor(cmwCollectionFromCbor(input));
    return [form, cmwCollectionToCbor(cmwCollectionFromCbor(form))];
  },
  'log-entries': (input) => {
    const bundle = input.subarray(1);
    return [bundle, concatBytes(...decodeEntries(bundle, input[0] ?? 0).map((entry) => encodeEntry(entry)))];
  },
  xml: (input) => {
    const form = canonicaliseXml(parseXml(input));
    return [form, canonicaliseXml(parseXml(form))];
  },
};

/** Throws what is no error of the registry. */
function contained(name: string, read: Read): Target {
  const refuse = (error: unknown): void => {
    if (!(error instanceof FastnessError)) throw error;
  };
  return (input) => {
    try {
      const pending = read(input);
      if (pending instanceof Promise) return pending.then(() => undefined, refuse);
    } catch (error) {
      return refuse(error);
    }
    const [expected, written] = writes[name]?.(input) ?? [];
    if (expected !== undefined && written !== undefined && !equalBytes(expected, written)) {
      throw new Error('the reader took what the writer does not write');
    }
    return undefined;
  };
}

export const targets: ReadonlyMap<string, Target> = new Map(
  Object.entries(reads).map(([name, read]) => [name, contained(name, read)]),
);
