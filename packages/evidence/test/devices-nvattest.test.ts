import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deviceNonceOf, verifyEvidence, type Cmw } from '@fastness/attest';
import { decodeNvidiaEvidence } from '@fastness/attest/formats/nvidia';
import { encodePem, toBase64, toHex } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { nvidiaCases, nvidiaOptions } from '../../attest/test/support/nvidia-cases.ts';
import { prepareNvidia } from '../../attest/test/support/nvidia-forge.ts';
import { session } from '../../attest/test/support/composite-forge.ts';
import { readVectorText, vectorsPresent } from '../../attest/test/support/vectors.ts';
import { openNvattest, type Collector, type NvattestOptions } from '../src/index.ts';
import { codeOf } from './support/tpm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

interface Entry {
  readonly evidence: string;
  readonly certificate: string;
}
const entryOf = (evidence: Cmw): Entry => {
  const { report, certificates } = decodeNvidiaEvidence(evidence);
  const pem = certificates.map((der) => encodePem(der, 'CERTIFICATE')).join('');
  return { evidence: toBase64(report), certificate: toBase64(new TextEncoder().encode(pem)) };
};

describe('devices through nvattest', () => {
  let folder: string;
  let command: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fastness-nvattest-'));
    command = join(folder, 'nvattest');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** A command that notes its arguments and environment, and goes on as told. */
  const script = (lines: string): void => {
    writeFileSync(
      command,
      `#!/bin/sh\necho "$@" >> '${folder}/asked'\n/usr/bin/env > '${folder}/environment'\n${lines}\n`,
    );
    chmodSync(command, 0o755);
    writeFileSync(join(folder, 'asked'), '');
  };
  /** Prints one file for the nonces that it was made for, and another for all others. */
  const answers = (rest: unknown, byNonce: Readonly<Record<string, unknown>> = {}): void => {
    const cases = Object.entries({ ...byNonce, '*': rest }).map(([nonce, answer], index) => {
      writeFileSync(join(folder, `answer-${index}`), typeof answer === 'string' ? answer : JSON.stringify(answer));
      return `${nonce}) exec cat '${folder}/answer-${index}';;`;
    });
    script(`case "$7" in ${cases.join(' ')} esac`);
  };
  const asked = (): string[] => readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n');
  const printing = (evidences: unknown, result_code = 0): unknown => ({ result_code, result_message: 'Ok', evidences });
  const opened = (options: Partial<NvattestOptions> = {}): Promise<ReadonlyMap<string, Collector>> =>
    openNvattest({ device: 'nvswitch', command, ...options });

  it('answer each under its own nonce, and are known again in another order', async () => {
    const devices = await Promise.all(
      ['nvswitch0', 'nvswitch1'].map(async (label, index) => {
        const nonce = await deviceNonceOf(session, label);
        const chain = { chipSerial: 0x2000n + BigInt(index), leafSerial: 0x3000n + BigInt(index) };
        const prepared = await prepareNvidia({ kind: 'nvswitch', chain, report: { nonce } });
        return { label, nonce, prepared, entry: entryOf(prepared.evidence) };
      }),
    );
    const entries = devices.map(({ entry }) => entry);
    const byNonce = devices.map(({ nonce }) => [toHex(nonce), printing(entries.toReversed())]);
    answers(printing(entries), Object.fromEntries(byNonce) as Record<string, unknown>);
    const collectors = await opened();
    expect([...collectors.keys()]).toEqual(['nvswitch0', 'nvswitch1']);
    for (const { label, nonce, prepared } of devices) {
      const collector = collectors.get(label) ?? expect.fail(label);
      const { evidence } = await collector.collect(nonce);
      expect(evidence).toEqual(prepared.evidence);
      const { claims } = await verifyEvidence({ ...prepared, evidence, expectedReportData: nonce });
      expect(claims.tee).toBe('nvidia-nvswitch');
      expect(asked().at(-1)).toBe(`--format json collect-evidence --device nvswitch --nonce ${toHex(nonce)}`);
      // What answers for another nonce is not taken.
      expect(await codeOf(collector.collect(new Uint8Array(32)).then(() => undefined))).toBe('EVIDENCE_RESPONSE');
    }
    const environment = readFileSync(join(folder, 'environment'), 'utf8').trim().split('\n');
    const names = environment.map((line) => line.split('=')[0]);
    expect(names.filter((name) => !['PATH', 'LC_ALL', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(name ?? ''))).toEqual([]);
  });

  it.skipIf(!vectorsPresent)(
    'are read from what NVIDIA recorded, and refused where one is there four times',
    async () => {
      const one = nvidiaCases.find(({ row }) => row.includes('cert_hold')) ?? expect.fail('no such case');
      answers(`{"result_code":0,"evidences":${readVectorText(one.row)}}`);
      const collectors = await opened({ device: 'gpu' });
      const collector = collectors.get('gpu0') ?? expect.fail('no gpu0');
      const { evidence } = await collector.collect(one.report().slice(4, 36));
      const { claims } = await verifyEvidence({ ...nvidiaOptions(one), evidence });
      expect(claims).toMatchObject({ tee: 'nvidia-gpu', ...one.claims });
      const switches = nvidiaCases.find(({ row }) => row.includes('multi_switch')) ?? expect.fail('no such case');
      answers(`{"result_code":0,"evidences":${readVectorText(switches.row)}}`);
      expect(await codeOf(opened().then(() => undefined))).toBe('EVIDENCE_RESPONSE');
    },
  );

  it('are refused by a code for each way in which the command fails', async () => {
    const entry = { evidence: 'AAAA', certificate: toBase64(new TextEncoder().encode('no chain')) };
    const cases: readonly (readonly [ErrorCode, () => void, Partial<NvattestOptions>?])[] = [
      ['EVIDENCE_COMMAND_ABSENT', () => {}, { command: join(folder, 'absent') }],
      ['EVIDENCE_COMMAND_ABSENT', () => {}, { command: folder }],
      ['EVIDENCE_REFUSED', () => script('exit 3')],
      ['EVIDENCE_REFUSED', () => script('kill -9 $$')],
      ['EVIDENCE_REFUSED', () => answers(printing(null, 7))],
      ['EVIDENCE_TIMEOUT', () => script('exec sleep 600'), { timeoutMs: 200 }],
      ['EVIDENCE_RESPONSE', () => script('exec head -c 5000000 /dev/zero')],
      ['EVIDENCE_RESPONSE', () => answers('no JSON')],
      ['EVIDENCE_RESPONSE', () => answers({ result_code: 0 })],
      ['EVIDENCE_RESPONSE', () => answers(printing([{ evidence: 'AAAA' }]))],
      ['EVIDENCE_RESPONSE', () => answers(printing([{ ...entry, certificate: '*' }]))],
      ['EVIDENCE_RESPONSE', () => answers(printing([entry]))],
      ['EVIDENCE_RESPONSE', () => answers(printing(Array.from({ length: 101 }, () => entry)))],
      ['EVIDENCE_GPU_ABSENT', () => answers(printing([]))],
    ];
    for (const [code, arrange, options] of cases) {
      arrange();
      expect([code, await codeOf(opened(options).then(() => undefined))]).toEqual([code, code]);
    }
  });
});
