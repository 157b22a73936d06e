import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, fromHex, toHex, u16be, utf8Encode } from '@fastness/codec';
import { der, ecdsaSignatureToRaw } from '@fastness/codec/der';
import { parseCertificate } from '@fastness/codec/x509';
import { decodePem } from '@fastness/codec';
import { afterAll, describe, expect, it } from 'vitest';
import {
  appraise,
  attestationKeyOf,
  authenticate,
  parse,
  parseEventLog,
  replayEventLog,
  type PcrValues,
  type TpmQuoteVerdict,
} from '../src/formats/tpm/index.ts';
import { codeOf } from './support/errors.ts';
import {
  evidenceRoot,
  fromAnyBase64,
  jsonText,
  readVector,
  readVectorText,
  vectorsPresent,
} from './support/vectors.ts';

const goTpmTools = 'tpm/google__go-tpm-tools/internal/test';
const vaportpm = 'lockboot__vaportpm/crates/vaportpm-verify';
const trustee = 'confidential-containers__trustee/deps/verifier/test_data';
const counts: Record<string, number> = {};
const count = (verdict: string) => {
  counts[verdict] = (counts[verdict] ?? 0) + 1;
};

interface Recorded {
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
  readonly key: Uint8Array;
  readonly pcrs: PcrValues;
  readonly nonce: Uint8Array;
  readonly bank?: 'SHA-256' | 'SHA-384';
  readonly eventLog?: Uint8Array;
}

async function judge(recorded: Recorded, expectedNonce = recorded.nonce): Promise<TpmQuoteVerdict> {
  const { attest, signature, key: attestationKey, pcrs, bank = 'SHA-256', eventLog } = recorded;
  const authentic = await authenticate(parse({ attest, signature }), { attestationKey });
  const accepted = new Map([...(pcrs[bank] ?? [])].map(([index, value]) => [index, [toHex(value)]]));
  const log = eventLog === undefined ? {} : { eventLog };
  return appraise(authentic, { expectedNonce, pcrs, bank, accepted, requireSafeClock: false, ...log });
}

/** Length-delimited protobuf fields by number, and map entries: enough for go-tpm-tools' Attestation. */
function fields(message: Uint8Array): { field: number; varint: number; bytes: Uint8Array }[] {
  const found: { field: number; varint: number; bytes: Uint8Array }[] = [];
  let offset = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset] ?? 0;
      offset += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (offset < message.length) {
    const key = varint();
    const value = varint();
    const length = (key & 7) === 2 ? value : 0;
    found.push({ field: key >> 3, varint: value, bytes: message.subarray(offset, offset + length) });
    offset += length;
  }
  return found;
}
const bytesOf = (message: Uint8Array, field: number) =>
  fields(message).find((entry) => entry.field === field)?.bytes ?? new Uint8Array();

/** The quotes of a recorded Attestation by algorithm of their bank. */
function attestation(name: string): { bank: number; recorded: Recorded }[] {
  const message = readVector(`${goTpmTools}/attestations/${name}`);
  const key = attestationKeyOf(bytesOf(message, 1));
  const quotes = fields(message).filter(({ field }) => field === 2);
  return quotes.map(({ bytes }) => {
    const pcrs = fields(bytesOf(bytes, 3));
    const bank = pcrs.find(({ field }) => field === 1)?.varint ?? 0;
    const values = new Map(
      pcrs
        .filter(({ field }) => field === 2)
        .map((entry) => [fields(entry.bytes).find(({ field }) => field === 1)?.varint ?? 0, bytesOf(entry.bytes, 2)]),
    );
    const label = bank === 12 ? 'SHA-384' : 'SHA-256';
    const recorded: Recorded = {
      attest: bytesOf(bytes, 1),
      signature: bytesOf(bytes, 2),
      key,
      pcrs: { [label]: values },
      nonce: Uint8Array.of(0x90, 0x09),
      bank: label,
      eventLog: bytesOf(message, 3),
    };
    return { bank, recorded };
  });
}

/** Vaportpm writes ECDSA signatures as DER and keys as coordinates. */
function vaporFixture(path: string, bank: 'sha256' | 'sha384'): Recorded {
  const json: unknown = JSON.parse(readVectorText(path));
  const raw = ecdsaSignatureToRaw(fromHex(jsonText(json, 'attestation', 'tpm', 'ecc_p256', 'signature')), 32);
  const halves = [raw.subarray(0, 32), raw.subarray(32)].flatMap((half) => [u16be(32), half]);
  const point = ['x', 'y'].map((axis) => fromHex(jsonText(json, 'ak_pubkeys', 'ecc_p256', axis)));
  const algorithm = der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.2.840.10045.3.1.7'));
  const values = Array.from(
    { length: 24 },
    (_, index) => [index, fromHex(jsonText(json, 'pcrs', bank, `${index}`))] as const,
  );
  const label = bank === 'sha256' ? 'SHA-256' : 'SHA-384';
  return {
    attest: fromHex(jsonText(json, 'attestation', 'tpm', 'ecc_p256', 'attest_data')),
    signature: concatBytes(u16be(0x18), u16be(0x0b), ...halves),
    key: der.sequence(algorithm, der.bitString(concatBytes(Uint8Array.of(4), ...point))),
    pcrs: { [label]: new Map(values) },
    nonce: fromHex(jsonText(json, 'nonce')),
    bank: label,
  };
}

function trusteeEvidence(): Recorded {
  const json: unknown = JSON.parse(readVectorText(`tpm/${trustee}/tpm_evidence.json`));
  const attest = fromAnyBase64(jsonText(json, 'tpm_quote', 'message'));
  const values = Array.from(
    { length: 24 },
    (_, index) => [index, fromHex(jsonText(json, 'tpm_quote', 'pcrs', `${index}`))] as const,
  );
  return {
    attest,
    signature: fromAnyBase64(jsonText(json, 'tpm_quote', 'signature')),
    key: fromAnyBase64(jsonText(json, 'ak_public')),
    pcrs: { 'SHA-256': new Map(values) },
    // The file does not say what was asked for; this is what the quote holds.
    nonce: attest.slice(44, 108),
  };
}

/** The quote inside Azure evidence; its key is in the runtime data of the hardware report. */
function azureEvidence(): Recorded {
  const json: unknown = JSON.parse(readVectorText(`azure-vtpm/${trustee}/az-snp-vtpm/evidence-v1.json`));
  const text = String.fromCodePoint(...fromAnyBase64(jsonText(json, 'hcl_report')));
  const keys = /"n":"(?<n>[\w-]+)"/.exec(text.slice(text.indexOf('HCLAkPub')))?.groups ?? {};
  const modulus = fromAnyBase64(keys['n'] ?? '');
  const key = der.sequence(der.unsigned(modulus), der.integer(65_537));
  const values = Array.from(
    { length: 24 },
    (_, index) => [index, fromHex(jsonText(json, 'tpm_quote', 'pcrs', `${index}`))] as const,
  );
  const signature = fromHex(jsonText(json, 'tpm_quote', 'signature'));
  return {
    attest: fromHex(jsonText(json, 'tpm_quote', 'message')),
    signature: concatBytes(u16be(0x14), u16be(0x0b), u16be(signature.length), signature),
    key: der.sequence(der.sequence(der.oid('1.2.840.113549.1.1.1'), der.null()), der.bitString(key)),
    pcrs: { 'SHA-256': new Map(values) },
    nonce: utf8Encode('challenge'),
  };
}

describe.skipIf(!vectorsPresent)('recorded TPM evidence', () => {
  afterAll(() => {
    const lines = Object.entries(counts).map(([verdict, times]) => `${verdict} ${times}`);
    process.stdout.write(`recorded TPM evidence: ${lines.join(', ')}\n`);
  });

  it.each([
    ['GCP vTPM', () => vaporFixture(`tpm/${vaportpm}/test-gcp-amd-fixture.json`, 'sha256')],
    ['NitroTPM', () => vaporFixture(`nitrotpm/${vaportpm}/test-nitro-fixture.json`, 'sha384')],
    ['a TPM without a certificate', trusteeEvidence],
    ['Azure vTPM', azureEvidence],
  ] as const)('is accepted with its key, and refused with another nonce or register: %s', async (_, read) => {
    const recorded = read();
    const { pcrs } = await judge(recorded);
    count('accept');
    expect(pcrs.size).toBe(24);
    expect(await codeOf(judge(recorded, new Uint8Array(32)))).toBe('TPM_NONCE_MISMATCH');
    count('TPM_NONCE_MISMATCH');
    const { bank = 'SHA-256' } = recorded;
    const changed = new Map(recorded.pcrs[bank]).set(4, new Uint8Array(bank === 'SHA-256' ? 32 : 48).fill(0xee));
    expect(await codeOf(judge({ ...recorded, pcrs: { [bank]: changed } }))).toBe('TPM_PCR_DIGEST');
    count('TPM_PCR_DIGEST');
    const { key } = vaporFixture(`tpm/${vaportpm}/test-gcp-amd-fixture.json`, 'sha256');
    if (toHex(key) === toHex(recorded.key)) return;
    expect(['TPM_KEY', 'TPM_SIGNATURE']).toContain(await codeOf(judge({ ...recorded, key })));
    count('another key');
  });

  it('has the key of the GCP quote in its certificate', () => {
    const path = `tpm/${vaportpm}/test-gcp-amd-fixture.json`;
    const chain = jsonText(JSON.parse(readVectorText(path)), 'attestation', 'gcp', 'ak_cert_chain');
    const [leaf = new Uint8Array()] = decodePem(chain, 'CERTIFICATE');
    expect(toHex(parseCertificate(leaf).spki)).toBe(toHex(vaporFixture(path, 'sha256').key));
  });

  it('of go-tpm-tools replays to its quoted registers, and needs its nonce', async () => {
    const withNonce = attestation('gce-cos-85-nonce9009.pb');
    expect(withNonce.map(({ bank }) => bank)).toEqual([4, 11, 12]);
    for (const { bank, recorded } of withNonce) {
      const code = await codeOf(judge(recorded));
      expect(code).toBe(bank === 4 ? 'TPM_BANK' : 'accepted');
      count(code === 'accepted' ? 'accept' : code);
    }
    for (const { bank, recorded } of attestation('gce-cos-85-no-nonce.pb')) {
      const code = await codeOf(judge(recorded));
      expect(code).toBe(bank === 4 ? 'TPM_BANK' : 'TPM_NONCE_MISMATCH');
      count(code);
    }
  });

  it('replays every recorded event log in every bank', async () => {
    const names = readdirSync(join(evidenceRoot, goTpmTools, 'eventlogs'));
    expect(names.length).toBeGreaterThan(12);
    for (const name of names) {
      const log = parseEventLog(readVector(`${goTpmTools}/eventlogs/${name}`));
      for (const bank of log.banks) {
        const registers = await replayEventLog(log, bank);
        expect(registers.size, name).toBeGreaterThan(4);
        // EV_SEPARATOR: the digest is that of the data, so a bank that was read wrongly would show.
        for (const { digests, data } of log.events.filter(({ type }) => type === 4)) {
          const digest = await crypto.subtle.digest(bank, Uint8Array.from(data));
          expect(toHex(digests.get(bank) ?? new Uint8Array()), name).toBe(toHex(new Uint8Array(digest)));
        }
      }
      count('replayed');
    }
  });
});
