import {
  challengeSchema,
  keyReleaseResponseSchema,
  type Challenge,
  type KeyReleaseResponse,
} from '@fastness/channel/wire';
import { FastnessError } from '@fastness/codec/errors';
import { expect } from 'vitest';
import { auditPageSchema, recordedRevocationSchema, registeredReleaseSchema, type AuditEntry } from '../src/index.ts';
import { attest, type AttestOptions } from './enclave.ts';
import { adminToken, type TestRelease } from './world.ts';

/** A status and a JSON body. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

export async function call(url: string, init: RequestInit & { json?: unknown; token?: string } = {}): Promise<Answer> {
  const { json, token, ...rest } = init;
  const headers = new Headers(rest.headers);
  if (json !== undefined) headers.set('content-type', 'application/json');
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  const body = json === undefined ? {} : { body: JSON.stringify(json) };
  const response = await fetch(url, { ...rest, headers, ...body });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

/** The code of a refusal, after checking that it is a complete problem document. */
export function refusalOf(answer: Answer): string {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const error = FastnessError.fromProblem(answer.body);
  expect(answer.body).toMatchObject({
    status: answer.status,
    next: error?.next,
    type: `urn:fastness:error:${error?.code}`,
  });
  expect(JSON.stringify(answer.body)).not.toMatch(/sealedRoot|node:|\.ts|\/tmp\//);
  return error?.code ?? 'none';
}

export const admin = {
  async register(url: string, release: Pick<TestRelease, 'package' | 'keys'>): Promise<Answer> {
    return await call(`${url}/v1/admin/releases`, {
      method: 'PUT',
      token: adminToken,
      json: { package: release.package, keys: release.keys },
    });
  },
  async registered(url: string, release: TestRelease): Promise<TestRelease> {
    const answer = await admin.register(url, release);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(registeredReleaseSchema.parse(answer.body).releaseDigest).toBe(release.digestHex);
    return release;
  },
  async revoke(url: string, kind: string, value: string): Promise<Answer> {
    const json = { kind, value, reason: 'test' };
    const answer = await call(`${url}/v1/admin/revocations`, { method: 'POST', token: adminToken, json });
    if (answer.status === 200) recordedRevocationSchema.parse(answer.body);
    return answer;
  },
  async audit(url: string, after = 0): Promise<AuditEntry[]> {
    const answer = await call(`${url}/v1/admin/audit?after=${after}&limit=1000`, { token: adminToken });
    expect(answer.status).toBe(200);
    return auditPageSchema.parse(answer.body).entries;
  },
};

export { attest, createEnclave, type AttestOptions, type TestEnclave } from './enclave.ts';

export async function challenge(url: string): Promise<Challenge> {
  const answer = await call(`${url}/v1/challenges`, { method: 'POST' });
  expect(answer.status).toBe(200);
  return challengeSchema.parse(answer.body);
}

/** A challenge and its answer, sent. */
export async function requestKey(url: string, options: Omit<AttestOptions, 'nonce'>): Promise<Answer> {
  const { nonce } = await challenge(url);
  return await call(`${url}/v1/key-releases`, { method: 'POST', json: await attest({ ...options, nonce }) });
}

export function granted(answer: Answer): KeyReleaseResponse {
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return keyReleaseResponseSchema.parse(answer.body);
}
