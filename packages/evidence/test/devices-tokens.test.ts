import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { verifyEvidence, type Cmw } from '@fastness/attest';
import { encodeTdxEvidence } from '@fastness/attest/formats/tdx';
import { decodeSnpEndorsements, decodeSnpEvidence, encodeSnpEvidence } from '@fastness/attest/formats/snp';
import {
  concatBytes,
  decodePem,
  equalBytes,
  fromBase64,
  fromBase64Url,
  toBase64,
  toBase64Url,
  toHex,
  utf8Decode,
} from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { prepareDcap } from '../../attest/test/support/dcap-forge.ts';
import { prepare } from '../../attest/test/support/forge.ts';
import { preparePsa, nonce } from '../../attest/test/support/psa-forge.ts';
import { MAA_ISSUER, prepareToken, reportData } from '../../attest/test/support/token-forge.ts';
import {
  azureMaaCollector,
  intelTrustAuthorityCollector,
  openConfidentialSpace,
  openPsaCommand,
  type AzureMaaOptions,
  type Collector,
  type ConfidentialSpaceOptions,
  type IntelTrustAuthorityOptions,
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

const hardwareOf = (tee: Collector['tee'], evidence: Cmw, simulated = false): Collector => ({
  name: tee,
  tee,
  simulated,
  detect: async () => ({ present: true, detail: '' }),
  collect: async () => ({ evidence, endorsements: [] }),
});

describe('tokens of Azure Attestation', () => {
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
      const collected = tee === 'tdx' ? encodeTdxEvidence({ quote: quote.value, eventLog: new Uint8Array(99) }) : quote;
      const prepared = await prepareToken({ service: 'azure-maa', type });
      const asked: { url?: string; body?: string } = {};
      const fetch = answering(200, JSON.stringify({ token: utf8Decode(prepared.evidence.value) }), asked);
      const { evidence } = await collectorOf(hardwareOf(tee, collected), { fetch }).collect(reportData);
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

describe('tokens of Intel Trust Authority', () => {
  const key = 'djE6forged-key-of-a-test';
  const nonceOf = {
    val: toBase64(new Uint8Array(32).fill(3)),
    iat: toBase64(new Uint8Array(30).fill(4)),
    signature: 'AQID',
  };
  interface Asked {
    readonly method: string | undefined;
    readonly url: string | undefined;
    readonly apiKey: string | string[] | undefined;
    readonly body: string;
  }
  let asked: Asked[];
  let answers: (request: Asked) => { readonly status: number; readonly body: string } | undefined;
  let port: number;
  let stop: () => Promise<void>;
  let apiKeyFile: string;

  beforeEach(async () => {
    asked = [];
    apiKeyFile = join(folder, 'api-key');
    writeFileSync(apiKeyFile, `${key}\n`, { mode: 0o600 });
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        const { method, url, headers } = request;
        const one = { method, url, apiKey: headers['x-api-key'], body };
        asked.push(one);
        const answer = answers(one);
        if (answer !== undefined) response.writeHead(answer.status).end(answer.body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
    stop = async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    };
  });
  afterEach(() => stop());

  /** The service behind its address: what goes out is a request on a socket, headers and all. */
  const toServer: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    expect(url.origin).toBe('https://api.trustauthority.intel.com');
    return await fetch(`http://127.0.0.1:${port}${url.pathname}`, init);
  };
  const collectorOf = (hardware: Collector, options: Partial<IntelTrustAuthorityOptions> = {}): Collector =>
    intelTrustAuthorityCollector({ hardware, apiKeyFile, fetch: toServer, ...options });
  /** Quotes over whatever they are asked for, as the hardware makes them. */
  const quoting = (tee: 'tdx' | 'sgx'): Collector => ({
    ...hardwareOf(tee, { type: 'x', value: new Uint8Array(0) }),
    collect: async (bound) => ({
      evidence: (
        await prepareDcap(
          tee === 'tdx'
            ? { td: { reportData: bound }, eventLog: new Uint8Array(99) }
            : { kind: 'sgx', enclave: { reportData: bound } },
        )
      ).evidence,
      endorsements: [],
    }),
  });
  const token = ({ evidence }: { readonly evidence: Cmw }): { status: number; body: string } => ({
    status: 200,
    body: JSON.stringify({ token: utf8Decode(evidence.value) }),
  });

  it('are accepted by the verifier, bound by the report data of the quote that the service was shown', async () => {
    for (const [tee, path, version] of [
      ['tdx', '/appraisal/v2/attest', 2],
      ['sgx', '/appraisal/v1/attest', 1],
    ] as const) {
      asked = [];
      const section = () => ({ binding: 'report-data' });
      const prepared = await prepareToken({ service: 'intel-trust-authority', type: tee, version, section });
      answers = () => token(prepared);
      const policyIds = ['0a5f2b9e-2c2a-4b1e-8f3d-6d1e5a7c9b10'];
      const { evidence } = await collectorOf(quoting(tee), { policyIds }).collect(reportData);
      expect(asked.map(({ method, url, apiKey }) => [method, url, apiKey])).toEqual([['POST', path, key]]);
      const sent = JSON.parse(asked[0]?.body ?? '') as Record<string, unknown>;
      expect([sent['policy_ids'], sent['policy_must_match']]).toEqual([policyIds, true]);
      const { quote } = (tee === 'tdx' ? sent['tdx'] : sent) as { quote: string };
      const at = tee === 'tdx' ? 48 + 520 : 48 + 320;
      expect(fromBase64(quote).slice(at, at + 64)).toEqual(reportData);
      expect((await verifyEvidence({ ...prepared, evidence })).claims).toMatchObject({ attestedTee: tee });
    }
  });

  it('are accepted by the verifier, with the report data as what the quote holds beside the nonce of the service', async () => {
    const prepared = await prepareToken({ service: 'intel-trust-authority', type: 'tdx' });
    answers = ({ method, url, body }) => {
      if (method === 'GET' && url === '/appraisal/v2/nonce') return { status: 200, body: JSON.stringify(nonceOf) };
      const { tdx } = JSON.parse(body) as {
        tdx: { quote: string; runtime_data: string; verifier_nonce: typeof nonceOf };
      };
      expect(tdx.verifier_nonce).toEqual(nonceOf);
      const held = fromBase64(tdx.runtime_data);
      const bound = concatBytes(fromBase64(nonceOf.val), fromBase64(nonceOf.iat), held);
      const expected = new Uint8Array(createHash('sha512').update(bound).digest());
      const said = fromBase64(tdx.quote).slice(48 + 520, 48 + 584);
      return equalBytes(said, expected) && equalBytes(held, reportData) ? token(prepared) : { status: 400, body: '{}' };
    };
    const collector = collectorOf(quoting('tdx'), { binding: 'held-data' });
    const { evidence } = await collector.collect(reportData);
    expect((await verifyEvidence({ ...prepared, evidence })).claims.tee).toBe('intel-trust-authority');
    expect(asked.map(({ apiKey }) => apiKey)).toEqual([key, key]);
    for (const body of ['{}', 'no JSON', JSON.stringify({ ...nonceOf, iat: 'no base64' })]) {
      answers = () => ({ status: 200, body });
      expect(await codeFor(collector, reportData)).toBe('EVIDENCE_RESPONSE');
    }
  });

  it('are refused where the service gives none, without a usable key, and for hardware that it is not asked about', async () => {
    const quoted = quoting('tdx');
    const cases: readonly (readonly [ErrorCode, number, string])[] = [
      ['EVIDENCE_REFUSED', 401, '{}'],
      ['EVIDENCE_RESPONSE', 200, '{}'],
      ['EVIDENCE_RESPONSE', 200, '{"token":"no token"}'],
      ['EVIDENCE_RESPONSE', 200, 'a'.repeat(70_000)],
    ];
    for (const [code, status, body] of cases) {
      answers = () => ({ status, body });
      expect(await codeFor(collectorOf(quoted), reportData)).toBe(code);
    }
    answers = () => undefined;
    expect(await codeFor(collectorOf(quoted, { timeoutMs: 100 }), reportData)).toBe('EVIDENCE_TIMEOUT');
    await stop();
    // The key is in no error, nor in what caused it.
    const failed: unknown = await collectorOf(quoted)
      .collect(reportData)
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'EVIDENCE_UNREACHABLE' });
    expect(inspect(failed, { depth: 9, showHidden: true })).not.toContain(key);
    const keyFiles: readonly (() => string)[] = [
      () => join(folder, 'absent'),
      () => folder,
      () => (chmodSync(apiKeyFile, 0o640), apiKeyFile),
      () => (chmodSync(apiKeyFile, 0o600), writeFileSync(apiKeyFile, ''), apiKeyFile),
      () => (writeFileSync(apiKeyFile, 'two words'), apiKeyFile),
      () => (writeFileSync(apiKeyFile, 'k'.repeat(2000)), apiKeyFile),
    ];
    for (const file of keyFiles)
      expect(await codeFor(collectorOf(quoted, { apiKeyFile: file() }), reportData)).toBe('EVIDENCE_API_KEY');
    for (const service of ['http://api.trustauthority.intel.com', 'https://api.trustauthority.intel.com/v1', 'x'])
      expect(await codeOf((async () => void collectorOf(quoted, { service }))())).toBe('EVIDENCE_INSTANCE');
    const { evidence } = await prepareDcap();
    for (const [hardware, options] of [
      [hardwareOf('sev-snp', evidence), {}],
      [hardwareOf('tdx', evidence, true), {}],
      [hardwareOf('sgx', evidence), { binding: 'held-data' as const }],
    ] as const)
      expect(await codeOf((async () => void collectorOf(hardware, options))())).toBe('EVIDENCE_NO_TEE');
  });
});
