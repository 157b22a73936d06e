import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { verifyEvidence } from '@fastness/attest';
import { toBase64Url, toHex } from '@fastness/codec';
import type { ErrorCode } from '@fastness/codec/errors';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { preparePsa, nonce } from '../../attest/test/support/psa-forge.ts';
import { prepareToken, reportData } from '../../attest/test/support/token-forge.ts';
import {
  openConfidentialSpace,
  openPsaCommand,
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
