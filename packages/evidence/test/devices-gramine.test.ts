import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEvidence, type Cmw } from '@fastness/attest';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { prepareDcap } from '../../attest/test/support/dcap-forge.ts';
import { openGramine, type Collector } from '../src/index.ts';
import { codeOf } from './support/tpm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

describe('SGX quotes under Gramine', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fastness-gramine-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(root, name), content);
  const tree = (quote: Uint8Array, type = 'dcap\n'): void => {
    put('attestation_type', type);
    put('user_report_data', new Uint8Array(64));
    put('quote', quote);
  };
  const opened = async (): Promise<Collector> =>
    (await openGramine({ root, pauseMs: 1 })) ?? expect.fail('no collector');
  const collect = async (reportData: Uint8Array): Promise<Cmw> => (await (await opened()).collect(reportData)).evidence;
  const collectCode = (reportData: Uint8Array): Promise<string> => codeOf(collect(reportData).then(() => undefined));

  it('are accepted by the verifier, over the report data that was written', async () => {
    const prepared = await prepareDcap({ kind: 'sgx' });
    const { evidence, expectedReportData } = prepared;
    tree(evidence.value);
    expect(await collect(expectedReportData)).toEqual(evidence);
    expect(new Uint8Array(readFileSync(join(root, 'user_report_data')))).toEqual(expectedReportData);
    const { claims } = await verifyEvidence({ ...prepared, evidence: await collect(expectedReportData) });
    expect(claims.tee).toBe('sgx');
    // What another thread asked for is asked for anew, and not for ever.
    expect(await collectCode(new Uint8Array(64).fill(9))).toBe('EVIDENCE_TIMEOUT');
    expect(await collectCode(new Uint8Array(32))).toBe('EVIDENCE_REPORT_DATA');
  });

  it('are none where there is no such folder, no remote attestation, or another', async () => {
    expect(await openGramine({ root: join(root, 'absent') })).toBeUndefined();
    tree(new Uint8Array(), 'none');
    expect(await codeOf(openGramine({ root }).then(() => undefined))).toBe('EVIDENCE_NO_TEE');
    tree(new Uint8Array(), 'epid');
    expect(await codeOf(openGramine({ root }).then(() => undefined))).toBe('EVIDENCE_PROVIDER_UNKNOWN');
  });

  it('are refused where files fail or hold something else', async () => {
    const cases: readonly (readonly [ErrorCode, () => void])[] = [
      ['EVIDENCE_RESPONSE', () => put('quote', new Uint8Array(431))],
      ['EVIDENCE_RESPONSE', () => put('quote', new Uint8Array(65_537))],
      ['EVIDENCE_REFUSED', () => rmSync(join(root, 'quote'))],
      ['EVIDENCE_REFUSED', () => rmSync(join(root, 'user_report_data'))],
      [
        'EVIDENCE_REFUSED',
        () => {
          rmSync(join(root, 'quote'));
          mkdirSync(join(root, 'quote'));
        },
      ],
    ];
    for (const [code, arrange] of cases) {
      tree(new Uint8Array(432));
      expect(await collectCode(new Uint8Array(64))).toBe('done');
      arrange();
      expect(await collectCode(new Uint8Array(64))).toBe(code);
      rmSync(join(root, 'quote'), { recursive: true, force: true });
    }
  });
});
