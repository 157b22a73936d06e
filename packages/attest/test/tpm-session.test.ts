import { toHex } from '@fastness/codec';
import { describe, expect, it } from 'vitest';
import {
  deviceEvidenceDigestOf,
  deviceNonceOf,
  EVIDENCE_COLLECTION_TYPE,
  isCompositeVerdict,
  parseAttestationPolicy,
  reportDataFor,
  reportDataOf,
  verifyEvidence,
} from '../src/index.ts';
import { prepareAzureVtpm } from './support/azure-vtpm-forge.ts';
import { session } from './support/composite-forge.ts';
import { codeOf } from './support/errors.ts';
import { prepare } from './support/forge.ts';
import { prepareGcpVtpm } from './support/gcp-vtpm-forge.ts';
import { prepareTpm } from './support/tpm-forge.ts';

describe('a quote made for a session', () => {
  it.each([
    ['azure-vtpm', prepareAzureVtpm],
    ['gcp-vtpm', prepareGcpVtpm],
  ] as const)('binds 32 bytes of it: %s', async (tee, prepareQuote) => {
    const nonce = await reportDataFor(tee, { ...session, deviceEvidenceDigest: null });
    expect(nonce).toHaveLength(32);
    const { expectedReportData: _, ...options } = await prepareQuote({ quote: { nonce } });
    const { claims } = await verifyEvidence({ ...options, session });
    expect([claims.tee, claims.reportData]).toEqual([tee, toHex(nonce)]);
    const other = { ...session, releaseDigest: new Uint8Array(32) };
    expect(await codeOf(verifyEvidence({ ...options, session: other }))).toBe('TPM_NONCE_MISMATCH');
  });

  it('may be that of a TPM beside a processor', async () => {
    const nonce = await deviceNonceOf(session, 'tpm0');
    const tpm = await prepareTpm({ quote: { nonce } });
    const deviceEvidenceDigest = await deviceEvidenceDigestOf(new Map([['tpm0', tpm.evidence]]));
    const reportData = await reportDataOf({ ...session, deviceEvidenceDigest });
    const cpu = await prepare({ report: { reportData } });
    const records = new Map([
      ['cpu0', cpu.evidence],
      ['tpm0', tpm.evidence],
    ]);
    const options = {
      evidence: { type: EVIDENCE_COLLECTION_TYPE, records },
      endorsements: cpu.endorsements,
      policy: parseAttestationPolicy({
        ...cpu.policy,
        tpm: tpm.policy.tpm,
        devices: [{ kind: 'tpm', minimum: 1 }],
      }),
      anchors: cpu.anchors,
      session,
      now: cpu.now,
    };
    const verdict = await verifyEvidence(options);
    if (!isCompositeVerdict(verdict)) throw new Error('not composite');
    expect(verdict.claims.tee).toBe('sev-snp');
    expect(verdict.parts['tpm0']?.claims.tee).toBe('tpm');
    // Another TPM, or a quote for another session, does not carry the digest that the processor vouches for.
    const stranger = await prepareTpm({ quote: { nonce: new Uint8Array(32) } });
    const swapped = { ...options.evidence, records: new Map([...records, ['tpm0', stranger.evidence]]) };
    expect(await codeOf(verifyEvidence({ ...options, evidence: swapped }))).toBe('SNP_REPORT_DATA_MISMATCH');
  });
});
