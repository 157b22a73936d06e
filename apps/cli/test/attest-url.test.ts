import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Judgement } from '../src/support/attest/judge.ts';
import { runJudgement } from '../src/support/attest/run-judgement.ts';
import {
  forgeEnclave,
  now,
  policyFor,
  type AttestChange,
  type ForgedEnclave,
} from '../../../packages/client/test/support/scenario.ts';

const requestSchema = z.strictObject({ nonce: z.string() });

describe('a running enclave', () => {
  let folder: string;
  let enclave: ForgedEnclave;
  let server: Server;
  let url: string;
  /** What the enclave does wrong. */
  let change: AttestChange = {};

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-url-'));
    enclave = await forgeEnclave();
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        void (async () => {
          const { nonce } = requestSchema.parse(JSON.parse(body));
          response.setHeader('content-type', 'application/json');
          response.end(JSON.stringify(await enclave.attest(nonce, change)));
        })();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    // A server on a port has an address of this form.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await writeFile(join(folder, 'client.yaml'), stringify(policyFor()));
    await writeFile(join(folder, 'anchors.json'), JSON.stringify(enclave.anchors));
  });
  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const judge = async (more: object = {}): Promise<Judgement> =>
    runJudgement(
      url,
      { policy: join(folder, 'client.yaml'), anchors: join(folder, 'anchors.json'), at: now.toISOString(), ...more },
      new AbortController().signal,
    );

  it('is accepted for a fresh nonce, its release and its keys, under the policy of a client', async () => {
    change = {};
    const { error, checks, verdict, binding } = await judge();
    expect(error).toBeUndefined();
    expect(binding).toBe('fresh nonce');
    expect(verdict?.claims.tee).toBe('sev-snp');
    const codes = checks.map(({ code }) => code);
    expect(codes).toContain('RELEASE_SIGNATURE');
    expect(codes).toContain('SNP_REPORT_DATA_MISMATCH');
  });

  it.each<[string, AttestChange, string, number]>([
    ['evidence for another nonce', { evidenceNonce: new Uint8Array(32) }, 'SNP_REPORT_DATA_MISMATCH', 5],
    ['evidence that was made for a broker', { purpose: 'key-release' }, 'SNP_REPORT_DATA_MISMATCH', 5],
    ['an image that the release does not list', { measurement: 'cd'.repeat(48) }, 'SNP_MEASUREMENT_NOT_ALLOWED', 5],
    ['the simulated TEE', { simulated: true }, 'SIMULATED_EVIDENCE_REFUSED', 5],
  ])('is refused with %s', async (_what, wrong, code, exitCode) => {
    change = wrong;
    const { error, checks } = await judge();
    expect(error).toMatchObject({ code, exitCode });
    expect(checks.at(-1)).toMatchObject({ code, outcome: 'failed' });
    if (code.startsWith('SNP_')) expect(checks.map((check) => check.code)).toContain('RELEASE_SIGNATURE');
    change = {};
  });

  it('is not reached: the answer is that it is not there', async () => {
    const absent = runJudgement(
      'http://127.0.0.1:9',
      { policy: join(folder, 'client.yaml'), at: now.toISOString() },
      new AbortController().signal,
    );
    expect((await absent).error).toBeInstanceOf(FastnessError);
    expect((await absent).error?.exitCode).toBe(7);
  });
});
