import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { modelKeysSchema, type Broker, type BrokerLimitsInput } from '../src/index.ts';
import { admin, call, challenge, refusalOf } from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, keyStoreWith, sha256, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let broker: Broker;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(directory);
  broker = await world.start();
  release = await admin.registered(broker.url, await world.release({ version: 3 }));
});
afterAll(() => broker.close());
beforeEach(() => {
  world.clock.now = dawn;
});

async function withLimits(limits: BrokerLimitsInput, work: (url: string) => Promise<void>): Promise<void> {
  const own = await world.start({ limits });
  try {
    await work(own.url);
  } finally {
    await own.close();
  }
}

/** Sends bytes as they are and returns all that comes back until the other side closes. */
async function raw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return await new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(text);
    });
    socket.write(bytes);
  });
}

describe('administrators', () => {
  const routes = [
    ['PUT', '/v1/admin/releases', 'releases'],
    ['POST', '/v1/admin/revocations', 'revocations'],
    ['GET', '/v1/admin/audit', 'audit'],
    ['GET', '/v1/admin/leases', 'leases'],
    ['GET', '/v1/admin/anything', 'other'],
    ['DELETE', '/v1/admin/audit', 'audit'],
  ] as const;

  it('are told apart by their token, on every route and before anything else', async () => {
    const attempts = [
      [{}, 'nothing'],
      [{ authorization: 'Bearer wrong' }, 'wrong-token'],
      [{ authorization: `Bearer ${adminToken}x` }, 'wrong-token'],
      [{ authorization: `Bearer ${sha256(adminToken)}` }, 'wrong-token'],
      [{ authorization: `Basic ${adminToken}` }, 'wrong-scheme'],
      [{ authorization: `Bearer ${adminToken} ${adminToken}` }, 'wrong-scheme'],
      [{ authorization: 'Bearer ' }, 'wrong-scheme'],
    ] as const;
    const own = await world.start({
      limits: {
        rates: { adminFailure: { perAddress: { perSecond: 1, burst: 1000 }, global: { perSecond: 1, burst: 1000 } } },
      },
    });
    for (const [method, path, route] of routes) {
      for (const [headers, presented] of attempts) {
        const before = (await admin.audit(own.url)).at(-1)?.seq ?? 0;
        const answer = await call(`${own.url}${path}`, { method, headers });
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        expect(refusalOf(answer)).toBe('BROKER_ADMIN_UNAUTHORIZED');
        expect(await admin.audit(own.url, before)).toMatchObject([
          { kind: 'admin-auth-failure', facts: { route, presented } },
        ]);
      }
    }
    await own.close();
  });

  it('who guess are slowed down, and those who know are not', async () => {
    await withLimits({}, async (url) => {
      const codes: string[] = [];
      for (let index = 0; index < 15; index += 1)
        codes.push(refusalOf(await call(`${url}/v1/admin/audit`, { token: `guess${index}` })));
      expect(codes.filter((code) => code === 'BROKER_ADMIN_UNAUTHORIZED')).toHaveLength(10);
      expect(codes.filter((code) => code === 'BROKER_RATE_LIMIT')).toHaveLength(5);
      expect((await admin.audit(url)).filter(({ kind }) => kind === 'admin-auth-failure')).toHaveLength(10);
    });
  });

  it('see releases refused with the reason, and the log has it', async () => {
    const fresh = await world.release({ version: 4 });
    const [unapproved, otherBroker] = await Promise.all([
      world.release({ version: 5 }, { approvers: ['alice'] }),
      world.release({
        version: 5,
        brokerKey: Buffer.from(await world.keyStore.publicKey('other-broker')).toString('base64url'),
      }),
    ]);
    const cases: readonly (readonly [string, Pick<TestRelease, 'package' | 'keys'>])[] = [
      ['APPROVAL_MISSING', unapproved],
      ['BROKER_RELEASE_OTHER_BROKER', otherBroker],
      ['BROKER_RELEASE_VERSION_TAKEN', await world.release({ version: 3, notBefore: '2026-11-02T00:00:00Z' })],
      [
        'BROKER_WRAPPED_KEY_UNUSABLE',
        { ...fresh, keys: (await world.release({ modelId: 'other' }, { modelId: 'other' })).keys },
      ],
      [
        'RELEASE_DOCUMENT_DIGEST',
        {
          ...fresh,
          package: { ...fresh.package, release: fresh.package.release.replace('"version": 4', '"version": 5') },
        },
      ],
      ['BROKER_REQUEST_INVALID', { ...fresh, keys: { ...modelKeysSchema.parse(fresh.keys), note: 1 } }],
    ];
    for (const [code, given] of cases) {
      const before = (await admin.audit(broker.url)).at(-1)?.seq ?? 0;
      expect(refusalOf(await admin.register(broker.url, given))).toBe(code);
      const entries = await admin.audit(broker.url, before);
      // What is refused only for its version had valid approvals, and those were seen.
      const seen = code === 'BROKER_RELEASE_VERSION_TAKEN' ? ['approval-seen', 'approval-seen'] : [];
      expect(entries.map(({ kind }) => kind)).toEqual([...seen, 'refused']);
      expect(entries.at(-1)).toMatchObject({ facts: { operation: 'release-registration', code } });
    }
    world.clock.now = new Date('2027-01-01T00:00:00Z');
    expect(refusalOf(await admin.register(broker.url, fresh))).toBe('RELEASE_EXPIRED');
  });

  it('may register a release again with a rewrapped key', async () => {
    const before = (await admin.audit(broker.url)).at(-1)?.seq ?? 0;
    await admin.registered(broker.url, release);
    const approval = { releaseDigest: release.digestHex, modelId: 'tiny', version: 3 };
    expect(await admin.audit(broker.url, before)).toMatchObject([
      { kind: 'approval-seen', facts: { ...approval, approver: 'alice' } },
      { kind: 'approval-seen', facts: { ...approval, approver: 'bob' } },
      {
        kind: 'release-registered',
        facts: {
          releaseDigest: release.digestHex,
          modelId: 'tiny',
          version: 3,
          approvedBy: ['alice', 'bob'],
          wrappingKey: 'kek',
          wrappingKeyVersion: 1,
        },
      },
    ]);
  });

  it('page through the log and see where it ends', async () => {
    const answer = await call(`${broker.url}/v1/admin/audit?after=1&limit=2`, { token: adminToken });
    const all = await admin.audit(broker.url);
    expect(answer.body).toEqual({ entries: all.slice(1, 3), head: { seq: all.length, hash: all.at(-1)?.hash } });
    for (const query of ['limit=0', 'limit=1001', 'after=-1', 'after=x', 'more=1']) {
      expect(refusalOf(await call(`${broker.url}/v1/admin/audit?${query}`, { token: adminToken }))).toBe(
        'BROKER_REQUEST_INVALID',
      );
    }
  });

  it('cannot revoke what has not the form of the thing', async () => {
    for (const [kind, value] of [
      ['release', 'abc'],
      ['measurement', 'ab'.repeat(31)],
      ['platform', 'chip-id:xyz'],
      ['planet', 'x'],
    ] as const) {
      expect(refusalOf(await admin.revoke(broker.url, kind, value))).toBe('BROKER_REQUEST_INVALID');
    }
  });
});

describe('every error is a problem document', () => {
  it('unknown routes and other methods', async () => {
    for (const path of ['/', '/v1', '/v1/challenges/', '/V1/challenges', '/v1/challenges/x', '/.env']) {
      const answer = await call(`${broker.url}${path}`, { method: 'POST' });
      expect([answer.status, refusalOf(answer)]).toEqual([404, 'BROKER_ROUTE_UNKNOWN']);
    }
    for (const [method, path, allow] of [
      ['GET', '/v1/challenges', 'POST'],
      ['DELETE', '/v1/key-releases', 'POST'],
      ['POST', '/health', 'GET, HEAD'],
    ] as const) {
      const answer = await call(`${broker.url}${path}`, { method });
      expect([answer.status, answer.headers.get('allow'), refusalOf(answer)]).toEqual([
        405,
        allow,
        'BROKER_METHOD_NOT_ALLOWED',
      ]);
    }
    const hidden = await call(`${broker.url}/v1/admin/releases`, { method: 'POST', token: adminToken });
    expect([hidden.status, hidden.headers.get('allow')]).toEqual([405, 'PUT']);
  });

  it('bodies that are too large, announced or not', async () => {
    const answer = await call(`${broker.url}/v1/challenges`, { method: 'POST', body: 'x'.repeat(1025) });
    expect([answer.status, refusalOf(answer)]).toEqual([413, 'BROKER_BODY_LIMIT']);
    const chunks = '400\r\n' + ' '.repeat(1024) + '\r\n';
    const text = await raw(
      broker.url,
      `POST /v1/challenges HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunks}${chunks}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 [^]*BROKER_BODY_LIMIT/);
    expect(refusalOf(await call(`${broker.url}/v1/challenges`, { method: 'POST', json: { a: 1 } }))).toBe(
      'BROKER_REQUEST_INVALID',
    );
  });

  it('what is not HTTP, headers without end, and clients that never finish', async () => {
    await withLimits({ headersTimeoutMs: 300, requestTimeoutMs: 600 }, async (url) => {
      expect(await raw(url, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [^]*BROKER_REQUEST_INVALID/);
      const both =
        'POST /v1/challenges HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
      expect(await raw(url, both)).toMatch(/^HTTP\/1\.1 400 [^]*BROKER_REQUEST_INVALID/);
      expect(await raw(url, `GET /health HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
        /^HTTP\/1\.1 431 [^]*BROKER_HEADER_LIMIT/,
      );
      expect(await raw(url, 'POST /v1/challenges HTTP/1.1\r\nhost: x\r\n')).toMatch(
        /^HTTP\/1\.1 408 [^]*BROKER_REQUEST_TIMEOUT/,
      );
      const slowBody =
        'POST /v1/key-releases HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{';
      expect(await raw(url, slowBody)).toMatch(/^HTTP\/1\.1 408 [^]*BROKER_REQUEST_TIMEOUT/);
      expect((await call(`${url}/health`)).body).toEqual({ status: 'ok' });
    });
  });

  it('rate limits, with the time to wait', async () => {
    const rate = { perSecond: 0.1, burst: 2 };
    await withLimits({ rates: { challenge: { perAddress: rate, global: rate } } }, async (url) => {
      await challenge(url);
      await challenge(url);
      const answer = await call(`${url}/v1/challenges`, {
        method: 'POST',
        headers: { 'x-forwarded-for': '192.0.2.7' },
      });
      expect([answer.status, refusalOf(answer), Number(answer.headers.get('retry-after'))]).toEqual([
        429,
        'BROKER_RATE_LIMIT',
        10,
      ]);
      // The budgets are apart: a flood of challenges does not keep an administrator from revoking.
      expect((await admin.revoke(url, 'release', 'ab'.repeat(32))).status).toBe(200);
    });
  });

  it('faults of the broker itself, without a word about them', async () => {
    const reported: unknown[] = [];
    const keyStore = keyStoreWith(world.keyStore, {
      unwrap: () => Promise.reject(new Error('secret detail of /dev/hsm0')),
    });
    const own = await world.start({ keyStore, report: (error) => reported.push(error) });
    const answer = await admin.register(own.url, release);
    expect([answer.status, refusalOf(answer)]).toEqual([503, 'BROKER_KEY_STORE']);
    expect(JSON.stringify(answer.body)).not.toContain('hsm0');
    expect(reported).toHaveLength(1);
    await own.close();
  });
});

it('shuts down cleanly: what is in progress ends, the log says so, the port is free', async () => {
  const own = await world.start();
  await challenge(own.url);
  await Promise.all([own.close(), own.close()]);
  await expect(fetch(`${own.url}/health`)).rejects.toThrow('fetch failed');
});
