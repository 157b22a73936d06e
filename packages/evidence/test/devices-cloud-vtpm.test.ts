import { createHash, createPublicKey, randomBytes } from 'node:crypto';
import { verifyEvidence, type Cmw, type VerifyEvidenceOptions } from '@fastness/attest';
import { attestationKeyOf } from '@fastness/attest/formats/tpm';
import { concatBytes, toBase64Url } from '@fastness/codec';
import { decodeCbor } from '@fastness/codec/cbor';
import { swtpmInstalled } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { prepareAzureVtpm } from '../../attest/test/support/azure-vtpm-forge.ts';
import { prepareGcpVtpm } from '../../attest/test/support/gcp-vtpm-forge.ts';
import { p256Keys } from '../../attest/test/support/tpm-forge.ts';
import { azureIndices, fetchTdQuote, gcpIndices, openAzureVtpm, openGcpVtpm, type TpmCollector } from '../src/index.ts';
import {
  attestationKeyTemplate,
  createPrimary,
  evictControl,
  handles,
  nvAttributes,
  nvDefineSpace,
  nvUndefineSpace,
  nvWrite,
  openSwtpmSocket,
  openTpm,
  pcrExtend,
  rsaAttestationKeyTemplate,
  withObject,
  type Tpm,
} from '../src/tpm/index.ts';
import { codeOf, startTestTpm, type TestTpm } from './support/tpm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  new Uint8Array(parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest());
const booted = new Uint8Array(32).fill(4);
/** Register 4 after the one event, and register 7 of a TPM in which nothing extended it. */
const section = {
  measurements: [Buffer.from(sha256(new Uint8Array(32), booted)).toString('hex')],
  pcrs: { 7: ['00'.repeat(32)] },
};
const nonce = new Uint8Array(randomBytes(32));
/** A member of evidence, by its number. */
const memberOf = ({ value }: Cmw, key: number): unknown => {
  const content = decodeCbor(value);
  return content instanceof Map ? content.get(key) : undefined;
};
const bytesOf = (evidence: Cmw, key: number): Uint8Array => {
  const value = memberOf(evidence, key);
  return value instanceof Uint8Array ? value : expect.fail(`member ${key}`);
};

const withoutZeros = (bytes: Uint8Array): Uint8Array => bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1);

// A real TPM 2.0 emulator, with what the clouds keep in their TPMs.
describe.skipIf(!swtpmInstalled)('virtual TPMs of clouds', () => {
  let world: TestTpm;
  const options = () => ({ path: world.emulator.socketPath, eventLogPath: undefined });

  /** swtpm speaks with one at a time: its TPM is let go of before a collector opens it. */
  const withTpm = async <T>(work: (tpm: Tpm) => Promise<T>): Promise<T> => {
    const tpm = openTpm({ transport: await openSwtpmSocket(world.emulator.socketPath) });
    try {
      return await work(tpm);
    } finally {
      await tpm.close();
    }
  };
  const keep = async (tpm: Tpm, index: number, data: Uint8Array): Promise<void> => {
    const { authRead, authWrite, noDictionaryAttack } = nvAttributes;
    const attributes = authRead | authWrite | noDictionaryAttack;
    await nvDefineSpace(tpm, { index, attributes, size: data.length });
    for (let offset = 0; offset < data.length; offset += 512) {
      await nvWrite(tpm, { index, offset, data: data.slice(offset, offset + 512) });
    }
  };
  const replace = (index: number, data: Uint8Array): Promise<void> =>
    withTpm(async (tpm) => {
      await nvUndefineSpace(tpm, { index });
      await keep(tpm, index, data);
    });
  const collecting = async <T>(
    opened: Promise<TpmCollector | undefined>,
    work: (collector: TpmCollector) => Promise<T>,
  ) => {
    const collector = (await opened) ?? expect.fail('no collector');
    try {
      return await work(collector);
    } finally {
      await collector.close();
    }
  };
  const collectCode = (opened: Promise<TpmCollector | undefined>): Promise<string> =>
    codeOf(collecting(opened, async (collector) => void (await collector.collect(nonce))));
  const judged = async (evidence: Cmw, prepared: VerifyEvidenceOptions) =>
    (await verifyEvidence({ ...prepared, evidence, expectedReportData: nonce })).claims;

  beforeAll(async () => {
    world = await startTestTpm();
    await pcrExtend(world.tpm, { index: 4, bank: 'SHA-256', digest: booted });
    await world.tpm.close();
  });
  afterAll(() => world.end());

  it('are none of these where the TPM has no such index', async () => {
    expect(await openGcpVtpm(options())).toBeUndefined();
    expect(await openAzureVtpm(options())).toBeUndefined();
  });

  it('of Google are accepted by the verifier, with the key of the template and its certificate', async () => {
    const spki = await withTpm(async (tpm) => {
      const key = await createPrimary(tpm, { template: attestationKeyTemplate, hierarchy: handles.endorsement });
      await keep(tpm, gcpIndices.template, attestationKeyTemplate);
      return await withObject(tpm, key, async () => attestationKeyOf(key.publicArea));
    });
    const prepared = await prepareGcpVtpm({ chain: { attestationKeys: { ...p256Keys, spki: spki.slice() } }, section });
    const { leaf } = prepared.chain.certificates;
    // The index is larger than what is in it.
    await withTpm((tpm) => keep(tpm, gcpIndices.certificate, concatBytes(leaf, new Uint8Array(64))));
    await collecting(openGcpVtpm(options()), async (collector) => {
      expect(collector.tee).toBe('gcp-vtpm');
      const { evidence } = await collector.collect(nonce);
      expect(memberOf(evidence, 5)).toEqual([leaf]);
      expect(await judged(evidence, prepared)).toMatchObject({ tee: 'gcp-vtpm' });
      expect(await codeOf((async () => void (await collector.collect(new Uint8Array(64))))())).toBe(
        'EVIDENCE_REPORT_DATA',
      );
    });
    await replace(gcpIndices.certificate, new Uint8Array(64));
    expect(await collectCode(openGcpVtpm(options()))).toBe('EVIDENCE_RESPONSE');
  });

  it('of Azure are accepted by the verifier, with the HCL report that names their key, on SEV-SNP and on TDX', async () => {
    const spki = await withTpm(async (tpm) => {
      const key = await createPrimary(tpm, { template: rsaAttestationKeyTemplate });
      return await withObject(tpm, key, async () => {
        await evictControl(tpm, { object: key.handle, persistent: azureIndices.key });
        return attestationKeyOf(key.publicArea);
      });
    });
    const { n, e } = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' }).export({ format: 'jwk' });
    // libtpms has indices of 2048 bytes at most, so what nothing here looks at is left out, and the zeros at the end.
    const runtime = (given: Record<string, unknown>) => ({
      'vm-configuration': given['vm-configuration'],
      keys: [{ kid: 'HCLAkPub', key_ops: ['sign'], kty: 'RSA', n, e }],
    });
    const snp = await prepareAzureVtpm({ runtime, section });
    const hclReport = withoutZeros(bytesOf(snp.evidence, 5));
    await withTpm((tpm) => keep(tpm, azureIndices.hclReport, hclReport));
    const noQuote = () => expect.fail('a quote of a TDREPORT');
    await collecting(openAzureVtpm({ ...options(), tdQuote: noQuote }), async (collector) => {
      expect(collector.tee).toBe('azure-vtpm');
      const { evidence } = await collector.collect(nonce);
      expect([bytesOf(evidence, 5), memberOf(evidence, 6), memberOf(evidence, 7)]).toEqual([
        hclReport,
        undefined,
        undefined,
      ]);
      expect(await judged(evidence, snp)).toMatchObject({ tee: 'azure-vtpm' });
    });

    const tdx = await prepareAzureVtpm({ hardware: 'tdx', runtime, section });
    await replace(azureIndices.hclReport, withoutZeros(bytesOf(tdx.evidence, 5)));
    const asked: Uint8Array[] = [];
    const tdQuote = async (report: Uint8Array): Promise<Uint8Array> => {
      asked.push(report);
      return bytesOf(tdx.evidence, 6);
    };
    await collecting(openAzureVtpm({ ...options(), tdQuote }), async (collector) => {
      const { evidence } = await collector.collect(nonce);
      expect(asked).toEqual([bytesOf(tdx.evidence, 5).slice(32, 32 + 1024)]);
      expect(await judged(evidence, tdx)).toMatchObject({ tee: 'azure-vtpm' });
    });
    await replace(azureIndices.hclReport, new Uint8Array(1227));
    expect(await collectCode(openAzureVtpm(options()))).toBe('EVIDENCE_RESPONSE');
  });
});

describe("quotes of Azure's metadata service", () => {
  const answering = (status: number, body: string) => (asked: { url?: string; body?: unknown }) =>
    (async (url: string, init: RequestInit) => {
      Object.assign(asked, { url, body: init.body });
      return new Response(body, { status });
    }) as typeof globalThis.fetch;
  const report = new Uint8Array(1024).fill(3);

  it('are what it answers to a report, and anything else is refused', async () => {
    const asked = {};
    const quote = new Uint8Array([1, 2, 3]);
    const good = answering(200, JSON.stringify({ quote: toBase64Url(quote) }));
    expect(await fetchTdQuote(report, good(asked))).toEqual(quote);
    expect(asked).toEqual({
      url: 'http://169.254.169.254/acc/tdquote',
      body: JSON.stringify({ report: toBase64Url(report) }),
    });
    const cases = [
      ['EVIDENCE_REFUSED', answering(400, '{}')({})],
      ['EVIDENCE_RESPONSE', answering(200, '{}')({})],
      ['EVIDENCE_RESPONSE', answering(200, 'a'.repeat(70_000))({})],
      ['EVIDENCE_UNREACHABLE', (() => Promise.reject(new TypeError('no route'))) as typeof globalThis.fetch],
    ] as const;
    for (const [code, fetch] of cases)
      expect(await codeOf(fetchTdQuote(report, fetch).then(() => undefined))).toBe(code);
  });
});
