import { concatBytes, decodePem, fromHex, toHex, u16be, utf8Encode } from '@fastness/codec';
import { der, ecdsaSignatureToRaw } from '@fastness/codec/der';
import type { HashName } from '@fastness/codec/x509';
import { readHclReport } from '../../src/formats/azure-vtpm/hcl.ts';
import { encodeAzureVtpmEvidence } from '../../src/formats/azure-vtpm/index.ts';
import { encodeGcpVtpmEvidence } from '../../src/formats/gcp-vtpm/index.ts';
import { encodeSnpEndorsements, reportLayout } from '../../src/formats/snp/index.ts';
import { parse as parseTdx, encodeDcapCollateral } from '../../src/formats/tdx/index.ts';
import { attestationKeyOf, encodeTpmEvidence, type QuoteContent } from '../../src/formats/tpm/index.ts';
import { Checklist } from '../../src/checks.ts';
import { CMW_EVIDENCE, TDX_QUOTE_TYPE, type Cmw } from '../../src/index.ts';
import { dcapCases } from './dcap-cases.ts';
import { onlyBytes, onlyNumber, repeatedBytes } from './protobuf.ts';
import { crlsOf } from './snp-cases.ts';
import { fromAnyBase64, jsonText, readCertificates, readVector, readVectorText } from './vectors.ts';

export interface RecordedTpm {
  readonly evidence: Cmw;
  readonly endorsements: readonly Cmw[];
  readonly bank: HashName;
  /** Registers that the policy pins, hex by index. */
  readonly pcrs: Readonly<Record<string, string>>;
  readonly nonce: Uint8Array;
  /** The attestation key that a policy pins. Absent: something else vouches for it. */
  readonly key?: Uint8Array;
  /** Further sections of the policy. */
  readonly others?: object;
  /** What the evidence is made of. */
  readonly content: QuoteContent;
  /** The same evidence around other content. */
  readonly rewrap: (content: QuoteContent) => Cmw;
}

export const goTpmTools = 'tpm/google__go-tpm-tools/internal/test';
const vaportpm = 'lockboot__vaportpm/crates/vaportpm-verify';
export const trustee = 'confidential-containers__trustee/deps/verifier/test_data';
export const azureSnp = `azure-vtpm/${trustee}/az-snp-vtpm`;
export const azureTdx = `azure-vtpm/${trustee}/az-tdx-vtpm`;
export const openpcc = 'azure-vtpm/openpcc__openpcc/attestation/attest/testdata';
export const gcpFixture = `tpm/${vaportpm}/test-gcp-amd-fixture.json`;
export const nitroFixture = `nitrotpm/${vaportpm}/test-nitro-fixture.json`;
export const googleRoot = 'roots/lockboot__vaportpm/crates/vaportpm-attest/certs/gcp-ekak-root.pem';
const roots = 'roots/confidential-containers__trustee/deps/verifier/src/snp';

const readJson = (path: string): unknown => JSON.parse(readVectorText(path));
const member = (json: unknown, ...path: string[]): unknown => {
  let value: unknown = json;
  for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
  return value;
};
/** Bytes that a recording writes as a list of numbers. */
const numbers = (value: unknown): Uint8Array => Uint8Array.from(Array.isArray(value) ? value : [], Number);
const hexes = (pcrs: ReadonlyMap<number, Uint8Array>) =>
  Object.fromEntries([...pcrs].map(([index, value]) => [`${index}`, toHex(value)]));
/** A TPMT_SIGNATURE by RSASSA and SHA-256. */
const rsassa = (signature: Uint8Array) => concatBytes(u16be(0x14), u16be(0x0b), u16be(signature.length), signature);
const quoteOf = (content: QuoteContent, bank: HashName = 'SHA-256') => ({
  content,
  bank,
  pcrs: hexes(content.pcrs[bank] ?? new Map()),
});

/** Vaportpm writes ECDSA signatures as DER and keys as coordinates. */
export function vaporFixture(path: string, bank: 'sha256' | 'sha384') {
  const json = readJson(path);
  const raw = ecdsaSignatureToRaw(fromHex(jsonText(json, 'attestation', 'tpm', 'ecc_p256', 'signature')), 32);
  const halves = [raw.subarray(0, 32), raw.subarray(32)].flatMap((half) => [u16be(32), half]);
  const point = ['x', 'y'].map((axis) => fromHex(jsonText(json, 'ak_pubkeys', 'ecc_p256', axis)));
  const algorithm = der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.2.840.10045.3.1.7'));
  const values = Array.from(
    { length: 24 },
    (_, index) => [index, fromHex(jsonText(json, 'pcrs', bank, `${index}`))] as const,
  );
  const label: HashName = bank === 'sha256' ? 'SHA-256' : 'SHA-384';
  return {
    ...quoteOf(
      {
        attest: fromHex(jsonText(json, 'attestation', 'tpm', 'ecc_p256', 'attest_data')),
        signature: concatBytes(u16be(0x18), u16be(0x0b), ...halves),
        pcrs: { [label]: new Map(values) },
      },
      label,
    ),
    key: der.sequence(algorithm, der.bitString(concatBytes(Uint8Array.of(4), ...point))),
    nonce: fromHex(jsonText(json, 'nonce')),
  };
}

/** Evidence of a TPM whose key the policy pins. */
function pinned(recorded: ReturnType<typeof quoteOf>, key: Uint8Array, nonce: Uint8Array): RecordedTpm {
  const rewrap = (content: QuoteContent) => encodeTpmEvidence({ ...content, attestationKey: key });
  return { ...recorded, key, nonce, evidence: rewrap(recorded.content), endorsements: [], rewrap };
}

export function gcpEvidence(): RecordedTpm {
  const { key: _, ...recorded } = vaporFixture(gcpFixture, 'sha256');
  const chain = jsonText(readJson(gcpFixture), 'attestation', 'gcp', 'ak_cert_chain');
  const certificates = decodePem(chain, 'CERTIFICATE');
  const rewrap = (content: QuoteContent) => encodeGcpVtpmEvidence({ ...content, certificates });
  return { ...recorded, evidence: rewrap(recorded.content), endorsements: [], rewrap };
}

export function nitroTpmEvidence(): RecordedTpm {
  const { key, nonce, ...recorded } = vaporFixture(nitroFixture, 'sha384');
  return pinned(recorded, key, nonce);
}

export function trusteeEvidence(): RecordedTpm {
  const json = readJson(`tpm/${trustee}/tpm_evidence.json`);
  const attest = fromAnyBase64(jsonText(json, 'tpm_quote', 'message'));
  const values = Array.from(
    { length: 24 },
    (_, index) => [index, fromHex(jsonText(json, 'tpm_quote', 'pcrs', `${index}`))] as const,
  );
  const content = {
    attest,
    signature: fromAnyBase64(jsonText(json, 'tpm_quote', 'signature')),
    pcrs: { 'SHA-256': new Map(values) },
  };
  // The file does not say what was asked for; this is what the quote holds.
  return pinned(quoteOf(content), fromAnyBase64(jsonText(json, 'ak_public')), attest.slice(44, 108));
}

/** One quote of a recorded Attestation of go-tpm-tools, with the log of its boot. */
export const attestation = (name: string, algorithm: number) => (): RecordedTpm => {
  const message = readVector(`${goTpmTools}/attestations/${name}`);
  const key = attestationKeyOf(onlyBytes(message, 1));
  const bank: HashName = algorithm === 12 ? 'SHA-384' : 'SHA-256';
  const quote = repeatedBytes(message, 2).find((entry) => onlyNumber(onlyBytes(entry, 3), 1) === algorithm);
  if (quote === undefined) throw new Error(`no quote of bank ${algorithm}`);
  const registers = repeatedBytes(onlyBytes(quote, 3), 2).map(
    (entry) => [onlyNumber(entry, 1), onlyBytes(entry, 2)] as const,
  );
  // The registers of SHA-1 have no place in evidence; the quote is refused for its bank before they are missed.
  const pcrs = algorithm === 4 ? { 'SHA-256': new Map([[4, new Uint8Array(32)]]) } : { [bank]: new Map(registers) };
  const content = {
    attest: onlyBytes(quote, 1),
    signature: onlyBytes(quote, 2),
    pcrs,
    eventLog: onlyBytes(message, 3),
  };
  return pinned(quoteOf(content, bank), key, Uint8Array.of(0x90, 0x09));
};

/** Azure evidence with SEV-SNP; the report follows the header of the HCL report. */
function azureSnpEvidence(hclReport: Uint8Array, content: QuoteContent, vcek: Uint8Array): RecordedTpm {
  const { hardware } = readHclReport(hclReport, new Checklist([]));
  const { offset, bytes } = reportLayout.measurement;
  const chain = readCertificates(`${roots}/milan_ask_ark_asvk.pem`).slice(0, 2);
  const rewrap = (other: QuoteContent) => encodeAzureVtpmEvidence({ ...other, hclReport });
  return {
    ...quoteOf(content),
    nonce: utf8Encode('challenge'),
    evidence: rewrap(content),
    endorsements: [encodeSnpEndorsements({ certificates: [vcek, ...chain], crls: [crlsOf().Milan] })],
    others: {
      snp: {
        products: ['Milan'],
        signingKeys: ['vcek'],
        vmpl: [0],
        measurements: [toHex(hardware.subarray(offset, offset + bytes))],
        minimumTcb: {},
        smt: 'allow',
      },
    },
    rewrap,
  };
}

export function azureSnpV0(): RecordedTpm {
  const json = readJson(`${azureSnp}/evidence-v0.json`);
  const list = member(json, 'quote', 'pcrs');
  const values = (Array.isArray(list) ? list : []).map((value, index) => [index, numbers(value)] as const);
  const content = {
    attest: numbers(member(json, 'quote', 'message')),
    signature: rsassa(numbers(member(json, 'quote', 'signature'))),
    pcrs: { 'SHA-256': new Map(values) },
  };
  const [vcek = new Uint8Array()] = decodePem(jsonText(json, 'vcek'), 'CERTIFICATE');
  return azureSnpEvidence(numbers(member(json, 'report')), content, vcek);
}

export function azureSnpV1(): RecordedTpm {
  const json = readJson(`${azureSnp}/evidence-v1.json`);
  const values = Array.from(
    { length: 24 },
    (_, index) => [index, fromHex(jsonText(json, 'tpm_quote', 'pcrs', `${index}`))] as const,
  );
  const content = {
    attest: fromHex(jsonText(json, 'tpm_quote', 'message')),
    signature: rsassa(fromHex(jsonText(json, 'tpm_quote', 'signature'))),
    pcrs: { 'SHA-256': new Map(values) },
  };
  const hcl = fromAnyBase64(jsonText(json, 'hcl_report'));
  return azureSnpEvidence(hcl, content, fromAnyBase64(jsonText(json, 'vcek')));
}

/** The pieces that lie apart. The registers of that quote were not recorded, so that zeros stand for them. */
export function azureSnpPieces(): RecordedTpm {
  const [vcek = new Uint8Array()] = readCertificates(`${azureSnp}/vcek.pem`);
  const values = Array.from({ length: 24 }, (_, index) => [index, new Uint8Array(32)] as const);
  const content = {
    attest: readVector(`${azureSnp}/tpm-quote.msg`),
    signature: rsassa(readVector(`${azureSnp}/tpm-quote.sig`)),
    pcrs: { 'SHA-256': new Map(values) },
  };
  return azureSnpEvidence(readVector(`${azureSnp}/hcl-report.bin`), content, vcek);
}

/** Collateral for FMSPC 00806f050000 of the one time at which all that was recorded is valid. */
export const collateralOf = (fmspc: '00806f050000' | '90c06f000000'): Cmw => {
  const name = fmspc === '00806f050000' ? 'COS 113' : 'dstack TDX';
  const collateral = dcapCases.find((candidate) => candidate.name.includes(name))?.collateral;
  if (collateral === undefined) throw new Error('no collateral');
  return encodeDcapCollateral(collateral());
};
/** That time. */
export const COLLATERAL_TIME = '2025-10-28T12:00:00Z';

/** `relaxed` accepts a TD that lets a host inject faults at its pages. */
export const azureTdxEvidence = (relaxed: boolean) => (): RecordedTpm => {
  const json = readJson(`${azureTdx}/evidence-v0.json`);
  const list = member(json, 'tpm_quote', 'pcrs');
  const values = (Array.isArray(list) ? list : []).map((value, index) => [index, numbers(value)] as const);
  const content = {
    attest: numbers(member(json, 'tpm_quote', 'message')),
    signature: rsassa(numbers(member(json, 'tpm_quote', 'signature'))),
    pcrs: { 'SHA-256': new Map(values) },
  };
  const hclReport = numbers(member(json, 'hcl_report'));
  const tdQuote = numbers(member(json, 'td_quote'));
  const { body } = parseTdx({ type: TDX_QUOTE_TYPE, value: tdQuote, ind: CMW_EVIDENCE });
  const rewrap = (other: QuoteContent) => encodeAzureVtpmEvidence({ ...other, hclReport, tdQuote });
  return {
    ...quoteOf(content),
    nonce: utf8Encode('challenge'),
    evidence: rewrap(content),
    endorsements: [collateralOf('00806f050000')],
    others: {
      tdx: {
        measurements: [body.mrTd],
        rtmrs: {},
        tcbStatuses: ['UpToDate', 'SWHardeningNeeded', 'OutOfDate'],
        minimumTcbEvaluationDataNumber: 0,
        ...(relaxed ? { septVeDisable: 'any' } : {}),
      },
    },
    rewrap,
  };
};
