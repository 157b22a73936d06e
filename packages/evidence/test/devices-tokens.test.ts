import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEvidence, type Cmw } from '@fastness/attest';
import { decodeSnpEndorsements, decodeSnpEvidence, encodeSnpEvidence } from '@fastness/attest/formats/snp';
import { decodePem, fromBase64Url, toBase64Url, toHex, utf8Decode } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { prepareDcap } from '../../attest/test/support/dcap-forge.ts';
import { prepare } from '../../attest/test/support/forge.ts';
import { preparePsa, nonce } from '../../attest/test/support/psa-forge.ts';
import { MAA_ISSUER, prepareToken, reportData } from '../../attest/test/support/token-forge.ts';
import {
  azureMaaCollector,
  openConfidentialSpace,
  openPsaCommand,
  type AzureMaaOptions,
  type Collector,
  type ConfidentialSpaceOptions,
  type PsaCommandOptions,
} from '../src/index.ts';
import { codeOf } from './support/tpm.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fastness-tokens-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const codeFor = (collector: Collector, bytes: Uint8Array): Promise<string> =>
  codeOf(collector.collect(bytes).then(() => undefined));

describe('PSA tokens of a command', () => {
  const command = (lines: string, options: Partial<PsaCommandOptions> = {}): Collector => {
    const path = join(folder, 'psa-token');
    writeFileSync(path, `#!/bin/sh\necho "$@" > '${folder}/asked'\n${lines}\n`);
    chmodSync(path, 0o755);
    return openPsaCommand({ command: path, ...options });
  };

  it('are accepted by the verifier, over the nonce that the command was given', async () => {
    const prepared = await preparePsa();
    const { value } = prepared.evidence;
    writeFileSync(join(folder, 'token'), value);
    const collector = command(`exec cat '${folder}/token'`, { args: ['--challenge', '0x{nonce}'] });
    const { evidence } = await collector.collect(nonce);
    expect(readFileSync(join(folder, 'asked'), 'utf8').trim()).toBe(`--challenge 0x${toHex(nonce)}`);
    expect((await verifyEvidence({ ...prepared, evidence })).claims.tee).toBe('arm-psa');
    expect(await codeFor(collector, new Uint8Array(64))).toBe('EVIDENCE_RESPONSE');
    expect(await codeFor(collector, new Uint8Array(32))).toBe('EVIDENCE_REPORT_DATA');
  });

  it('are refused where the command fails or prints something else', async () => {
    const cases: readonly (readonly [ErrorCode, string, Partial<PsaCommandOptions>?])[] = [
      ['EVIDENCE_COMMAND_ABSENT', '', { command: join(folder, 'absent') }],
      ['EVIDENCE_REFUSED', 'exit 1'],
      ['EVIDENCE_RESPONSE', 'echo token'],
      ['EVIDENCE_RESPONSE', 'exec head -c 20000 /dev/zero'],
      ['EVIDENCE_TIMEOUT', 'exec sleep 600', { timeoutMs: 100 }],
    ];
    for (const [code, lines, options] of cases) expect(await codeFor(command(lines, options), nonce)).toBe(code);
  });
});

describe('tokens of Confidential Space', () => {
  let stop: (() => Promise<void>) | undefined;
  let asked: { url: string | undefined; body: string }[];
  afterEach(async () => {
    await stop?.();
    stop = undefined;
  });
  /** A launcher that answers everything alike; undefined: never. */
  const launcher = async (status: number, answer: string | undefined): Promise<string> => {
    await stop?.();
    asked = [];
    const socketPath = join(folder, 'teeserver.sock');
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        asked.push({ url: request.url, body });
        if (answer !== undefined) response.writeHead(status).end(answer);
      });
    });
    stop = async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    };
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return socketPath;
  };
  const opened = async (socketPath: string, options: Partial<ConfidentialSpaceOptions> = {}): Promise<Collector> =>
    (await openConfidentialSpace({ audience: 'https://broker.example', socketPath, ...options })) ??
    expect.fail('no launcher');

  it('are accepted by the verifier, with the report data as their one nonce', async () => {
    const prepared = await prepareToken({ service: 'gcp-confidential-space' });
    const token = new TextDecoder().decode(prepared.evidence.value);
    const { evidence } = await (await opened(await launcher(200, `${token}\n`))).collect(reportData);
    expect(asked[0]?.url).toBe('/v1/token');
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
      audience: 'https://broker.example',
      token_type: 'PKI',
      nonces: [toBase64Url(reportData)],
    });
    expect((await verifyEvidence({ ...prepared, evidence })).claims.tee).toBe('gcp-confidential-space');
  });

  it('are none without a launcher, and refused where it does not give one', async () => {
    expect(await openConfidentialSpace({ audience: 'a', socketPath: join(folder, 'absent') })).toBeUndefined();
    const plain = join(folder, 'plain');
    writeFileSync(plain, '');
    expect(await codeFor(await opened(plain), reportData)).toBe('EVIDENCE_UNREACHABLE');
    const cases: readonly (readonly [ErrorCode, number, string | undefined, number?])[] = [
      ['EVIDENCE_REFUSED', 500, 'no'],
      ['EVIDENCE_RESPONSE', 200, 'no token'],
      ['EVIDENCE_RESPONSE', 200, 'a'.repeat(70_000)],
      ['EVIDENCE_TIMEOUT', 200, undefined, 100],
    ];
    for (const [code, status, answer, timeoutMs] of cases) {
      const collector = await opened(await launcher(status, answer), timeoutMs === undefined ? {} : { timeoutMs });
      expect(await codeFor(collector, reportData)).toBe(code);
    }
    expect(await codeFor(await opened(await launcher(200, '')), new Uint8Array(32))).toBe('EVIDENCE_REPORT_DATA');
  });
});

describe('tokens of Azure Attestation', () => {
  const hardwareOf = (tee: Collector['tee'], evidence: Cmw, simulated = false): Collector => ({
    name: tee,
    tee,
    simulated,
    detect: async () => ({ present: true, detail: '' }),
    collect: async () => ({ evidence, endorsements: [] }),
  });
  const answering = (status: number, body: string, asked: { url?: string; body?: string } = {}) =>
    (async (url: string, init: { body: string; signal: AbortSignal }) => {
      Object.assign(asked, { url, body: init.body });
      return new Response(body, { status });
    }) as unknown as typeof globalThis.fetch;
  const unavailable = (async () => {
    throw new TypeError('no route');
  }) as unknown as typeof globalThis.fetch;
  const never = ((_url: string, { signal }: { signal: AbortSignal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    })) as unknown as typeof globalThis.fetch;
  const collectorOf = (hardware: Collector, options: Partial<AzureMaaOptions>): Collector =>
    azureMaaCollector({ instance: MAA_ISSUER, hardware, ...options });

  it('are accepted by the verifier, after the service was shown the quote of the hardware', async () => {
    for (const [kind, tee, type, path] of [
      ['td-1.0', 'tdx', 'tdxvm', 'TdxVm'],
      ['sgx', 'sgx', 'sgx', 'SgxEnclave'],
    ] as const) {
      const { evidence: quote } = await prepareDcap({ kind });
      const prepared = await prepareToken({ service: 'azure-maa', type });
      const asked: { url?: string; body?: string } = {};
      const fetch = answering(200, JSON.stringify({ token: utf8Decode(prepared.evidence.value) }), asked);
      const { evidence } = await collectorOf(hardwareOf(tee, quote), { fetch }).collect(reportData);
      expect(asked.url).toBe(`${MAA_ISSUER}/attest/${path}?api-version=2025-06-01`);
      expect(JSON.parse(asked.body ?? '')).toEqual({ quote: toBase64Url(quote.value) });
      expect((await verifyEvidence({ ...prepared, evidence })).claims.tee).toBe('azure-maa');
    }
  });

  it('are made of a report of SEV-SNP with the certificates of its key', async () => {
    const forged = await prepare({});
    const { report } = decodeSnpEvidence(forged.evidence);
    const { certificates } = decodeSnpEndorsements(forged.endorsements?.[0] ?? expect.fail('no endorsements'));
    const snp = encodeSnpEvidence({ report, certificates });
    const prepared = await prepareToken({ service: 'azure-maa' });
    const asked: { url?: string; body?: string } = {};
    const fetch = answering(200, JSON.stringify({ token: utf8Decode(prepared.evidence.value) }), asked);
    const { evidence } = await collectorOf(hardwareOf('sev-snp', snp), { fetch }).collect(reportData);
    expect(asked.url).toBe(`${MAA_ISSUER}/attest/SevSnpVm?api-version=2025-06-01`);
    const text = (value: string): string => utf8Decode(fromBase64Url(value));
    const sent = JSON.parse(text((JSON.parse(asked.body ?? '') as { report: string }).report)) as Record<
      string,
      string
    >;
    expect(fromBase64Url(sent['SnpReport'] ?? '')).toEqual(report);
    expect(decodePem(text(sent['VcekCertChain'] ?? ''), 'CERTIFICATE', { maxBlocks: 4 })).toEqual(certificates);
    expect((await verifyEvidence({ ...prepared, evidence })).claims.tee).toBe('azure-maa');

    const bare = encodeSnpEvidence({ report });
    expect(await codeFor(collectorOf(hardwareOf('sev-snp', bare), { fetch }), reportData)).toBe('EVIDENCE_RESPONSE');
  });

  it('are refused where the service gives none, and not asked for without hardware it knows', async () => {
    const { evidence } = await prepareDcap();
    const hardware = hardwareOf('tdx', evidence);
    const cases: readonly (readonly [ErrorCode, typeof globalThis.fetch, number?])[] = [
      ['EVIDENCE_REFUSED', answering(400, '{}')],
      ['EVIDENCE_RESPONSE', answering(200, '{}')],
      ['EVIDENCE_RESPONSE', answering(200, '{"token":"no token"}')],
      ['EVIDENCE_RESPONSE', answering(200, 'no JSON')],
      ['EVIDENCE_RESPONSE', answering(200, 'a'.repeat(70_000))],
      ['EVIDENCE_UNREACHABLE', unavailable],
      ['EVIDENCE_TIMEOUT', never, 50],
    ];
    for (const [code, fetch, timeoutMs] of cases) {
      const collector = collectorOf(hardware, { fetch, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
      expect(await codeFor(collector, reportData)).toBe(code);
    }
    expect(await codeFor(collectorOf(hardware, { fetch: unavailable }), new Uint8Array(32))).toBe(
      'EVIDENCE_REPORT_DATA',
    );
    for (const instance of ['http://a.attest.azure.net', `${MAA_ISSUER}/x`, 'a.attest.azure.net', ''])
      expect(await codeOf((async () => void collectorOf(hardware, { instance }))())).toBe('EVIDENCE_INSTANCE');
    for (const other of [hardwareOf('aws-nitro', evidence), hardwareOf('sev-snp', evidence, true)])
      expect(await codeOf((async () => void collectorOf(other, {}))())).toBe('EVIDENCE_NO_TEE');
  });
});
