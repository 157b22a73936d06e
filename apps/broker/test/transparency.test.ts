import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBase64Url, toHex, utf8Decode } from '@fastness/codec/bytes';
import { httpLog, parseVerifierKey, readCheckpoint, verifierKeyOf, verifyEntries, verifyProof } from '@fastness/log';
import { directoryLog, nodeHasher } from '@fastness/log/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { auditFacts } from '../src/audit/facts.ts';
import { openAuditLog } from '../src/audit/log.ts';
import { describedRoutes } from '../src/operations/described-routes.ts';
import { brokerLogKey, verifyAuditLog, type Broker, type BrokerOptions } from '../src/index.ts';
import { admin, call, challenge, createEnclave, granted, refusalOf, requestKey, type TestEnclave } from './actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, passphrase, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let enclave: TestEnclave;
let logKey: string;
let release: TestRelease;

beforeAll(async () => {
  world = await createWorld(directory);
  enclave = await createEnclave();
  logKey = (await brokerLogKey(world.brokerKey)).text;
  release = await world.release({ logKey });
});

async function running<T>(changes: Partial<BrokerOptions>, work: (broker: Broker) => Promise<T>): Promise<T> {
  const broker = await world.start(changes);
  try {
    return await work(broker);
  } finally {
    await broker.close();
  }
}
const freshPlace = () => ({ databasePath: freshPath(directory, 'database'), auditPath: freshPath(directory, 'audit') });
const trustOf = async (broker: Broker) => ({ logKeys: [await parseVerifierKey(broker.logKey)] });
const served = (broker: Broker) => ({
  read: httpLog({ url: `${broker.url}/v1/log`, fetch: globalThis.fetch }),
  hasher: nodeHasher,
});

describe('a key release', () => {
  it('carries an offline proof that it was logged, and so does a renewal', async () => {
    await running(freshPlace(), async (broker) => {
      expect(broker.logKey).toBe(logKey);
      await admin.registered(broker.url, release);
      const first = granted(await requestKey(broker.url, { world, enclave, release }));
      const { entry, checkpoint, index } = await verifyProof({
        proof: first.logProof ?? '',
        trust: await trustOf(broker),
      });
      const audit = await admin.audit(broker.url);
      expect(JSON.parse(utf8Decode(entry))).toEqual(audit[index]);
      expect(audit[index]).toMatchObject({ kind: 'key-released', facts: { releaseDigest: release.digestHex } });
      expect(checkpoint.size).toBeGreaterThan(index);
      const leaseId = String(audit[index]?.facts['leaseId']);
      const renewal = granted(await requestKey(broker.url, { world, enclave, release, leaseId }));
      const proven = await verifyProof({ proof: renewal.logProof ?? '', trust: await trustOf(broker) });
      expect(JSON.parse(utf8Decode(proven.entry))).toMatchObject({ kind: 'lease-renewed', facts: { leaseId } });
    });
  });

  it('carries none where the release names no log', async () => {
    await running(freshPlace(), async (broker) => {
      const silent = await admin.registered(broker.url, await world.release());
      const answer = granted(await requestKey(broker.url, { world, enclave, release: silent }));
      expect(answer).not.toHaveProperty('logProof');
    });
  });

  it('is refused where the release names another log', async () => {
    const other = await verifierKeyOf({ name: 'other.example', publicKey: world.brokerKey.slice(-32) });
    await running(freshPlace(), async (broker) => {
      const foreign = await world.release({ logKey: other.text });
      expect(refusalOf(await admin.register(broker.url, foreign))).toBe('BROKER_RELEASE_OTHER_LOG');
    });
    const own = { ...freshPlace(), log: { origin: 'other.example' } };
    await running(own, async (broker) => {
      expect(broker.logKey).toBe(other.text);
      await admin.registered(broker.url, await world.release({ logKey: other.text }));
    });
  });
});

describe('the log', () => {
  it('is served to everybody, whole, and says what the audit log says', async () => {
    await running(freshPlace(), async (broker) => {
      await admin.registered(broker.url, release);
      const wrong = await call(`${broker.url}/v1/key-releases`, { method: 'POST', json: {} });
      expect(refusalOf(wrong)).toBe('BROKER_REQUEST_INVALID');
      await admin.revoke(broker.url, 'release', release.digestHex);
      const checkpoint = await readCheckpoint(served(broker), await trustOf(broker));
      const entries: unknown[] = [];
      await verifyEntries(served(broker), checkpoint, (_, entry) => {
        entries.push(JSON.parse(utf8Decode(entry)));
      });
      const audit = await admin.audit(broker.url);
      expect(entries).toEqual(audit);
      expect(audit.map(({ kind }) => kind)).toEqual([
        'start',
        'approval-seen',
        'approval-seen',
        'release-registered',
        'refused',
        'revocation',
      ]);
      const tile = await fetch(`${broker.url}/v1/log/tile/0/000.p/6`);
      expect(tile.headers.get('cache-control')).toContain('immutable');
      expect((await tile.arrayBuffer()).byteLength).toBe(6 * 32);
    });
  });

  it('serves nothing else, to no other method, and not without limit', async () => {
    const limits = {
      rates: { log: { perAddress: { perSecond: 0.01, burst: 6 }, global: { perSecond: 1, burst: 100 } } },
    };
    await running({ ...freshPlace(), limits }, async (broker) => {
      for (const path of ['tile/0/000', 'tile/0/001.p/1', 'journal/0000000000000000', '..%2faudit', 'lock']) {
        expect(refusalOf(await call(`${broker.url}/v1/log/${path}`)), path).toBe('BROKER_ROUTE_UNKNOWN');
      }
      expect(refusalOf(await call(`${broker.url}/v1/log/checkpoint`, { method: 'POST' }))).toBe(
        'BROKER_METHOD_NOT_ALLOWED',
      );
      expect((await fetch(`${broker.url}/v1/log/checkpoint`)).status).toBe(200);
      expect(refusalOf(await call(`${broker.url}/v1/log/checkpoint`))).toBe('BROKER_RATE_LIMIT');
    });
  });

  it('has an entry for a change of policy', async () => {
    const place = freshPlace();
    await running(place, async () => {});
    await running(place, async () => {});
    const policy = { ...world.policy, lease: { ...world.policy.lease, ttlSeconds: 300 } };
    await running({ ...place, policy }, async (broker) => {
      const entries = await admin.audit(broker.url);
      expect(entries.map(({ kind }) => kind)).toEqual(['start', 'stop', 'start', 'stop', 'policy-configured', 'start']);
      expect(entries[4]?.facts).toMatchObject({ from: entries[0]?.facts['policyDigest'] });
      expect(entries[4]?.facts['to']).toBe(entries[5]?.facts['policyDigest']);
    });
  });

  it('lies on disk as it is served, and grows on where it ended', async () => {
    const place = freshPlace();
    const trust = await running(place, trustOf);
    await running(place, async () => {});
    const source = { read: directoryLog(`${place.auditPath}.tlog`), hasher: nodeHasher };
    const checkpoint = await readCheckpoint(source, trust);
    await verifyEntries(source, checkpoint);
    expect(checkpoint.size).toBe((await verifyAuditLog(place.auditPath)).head.seq);
  });

  it('is made anew, and caught up, from the audit log', async () => {
    const place = freshPlace();
    const folder = `${place.auditPath}.tlog`;
    await running(place, async () => {});
    const early = freshPath(directory, 'early');
    cpSync(folder, early, { recursive: true });
    const root = await running(
      place,
      async (broker) => (await readCheckpoint(served(broker), await trustOf(broker))).root,
    );
    for (const restore of [() => {}, () => cpSync(early, folder, { recursive: true })]) {
      rmSync(folder, { recursive: true });
      restore();
      await running(place, async (broker) => {
        const { size } = await readCheckpoint(served(broker), await trustOf(broker));
        expect(size).toBe((await admin.audit(broker.url)).length);
      });
    }
    expect(toHex(root)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('an audit log that was tampered with', () => {
  // Without the database, which remembers the last entry too.
  const lose = ({ databasePath }: { databasePath: string }): void => {
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${databasePath}${suffix}`, { force: true });
  };

  it('is found cut, although its chain is whole', async () => {
    const place = freshPlace();
    await running(place, async () => {});
    const { size } = statSync(place.auditPath);
    await running(place, async () => {});
    truncateSync(place.auditPath, size);
    lose(place);
    await expect(world.start(place)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
  });

  it('is found replaced by another whole one', async () => {
    const place = freshPlace();
    const other = freshPlace();
    for (const at of [place, other]) {
      await running(at, async () => {});
      world.clock.now = new Date(world.clock.now.getTime() + 1000);
    }
    await running(other, async () => {});
    writeFileSync(place.auditPath, readFileSync(other.auditPath));
    lose(place);
    await expect(world.start(place)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
  });

  it('takes no entry that the tree does not take', async () => {
    const mirror = { append: async () => Promise.reject(new Error('no space')) };
    const log = await openAuditLog({ path: freshPath(directory, 'audit'), now: () => world.clock.now, mirror });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(log.append('stop', {})).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    }
    expect(log.failed).toBe(true);
    await log.close();
  });
});

describe('nothing secret gets in', () => {
  it('because every kind of entry is a closed schema of bounded values', () => {
    const bounded = (schema: unknown, path: string): void => {
      const node = z
        .looseObject({
          type: z.string().optional(),
          pattern: z.string().optional(),
          enum: z.array(z.string()).optional(),
          format: z.string().optional(),
          maxLength: z.number().optional(),
          maxItems: z.number().optional(),
          items: z.unknown().optional(),
          properties: z.record(z.string(), z.unknown()).optional(),
          additionalProperties: z.unknown().optional(),
        })
        .parse(schema);
      if (node.type === 'object') {
        expect(node.additionalProperties, path).toBe(false);
        for (const [name, member] of Object.entries(node.properties ?? {})) bounded(member, `${path}.${name}`);
      } else if (node.type === 'array') {
        expect(node.maxItems, path).toBeLessThanOrEqual(64);
        bounded(node.items, `${path}[]`);
      } else if (node.type === 'string') {
        const short = node.maxLength !== undefined && node.maxLength <= 160;
        const closed = node.pattern !== undefined && node.pattern.startsWith('^') && node.pattern.endsWith('$');
        expect(short || closed || node.enum !== undefined, `${path}: a text of any length`).toBe(true);
      } else if (node.type !== 'integer' && node.type !== 'boolean') {
        // Checked by code: a code of the registry.
        expect(path).toMatch(/\.code$/);
      }
    };
    for (const [kind, schema] of Object.entries(auditFacts)) {
      bounded(z.toJSONSchema(schema, { unrepresentable: 'any' }), kind);
    }
  });

  it('whatever a client or an administrator sends', async () => {
    const canary = 'canary-prompt-Summarise-the-medical-record-of-patient-4711';
    const rate = { perSecond: 1000, burst: 10_000 };
    const wide = { perAddress: rate, global: rate };
    const named = ['challenge', 'keyRelease', 'admin', 'adminFailure', 'log', 'other'] as const;
    const rates = Object.fromEntries(named.map((name) => [name, wide]));
    const place = {
      ...freshPlace(),
      rcar: {},
      operations: { port: 0 },
      limits: { rates: { ...rates, adminIdentity: rate } },
    };
    const secrets: Uint8Array[] = [Buffer.from(canary), Buffer.from(adminToken), passphrase, release.root];
    await running(place, async (broker) => {
      await admin.registered(broker.url, release);
      const { url } = broker;
      const nonce = await challenge(url);
      secrets.push(fromBase64Url(nonce.nonce));
      granted(await requestKey(url, { world, enclave, release }));
      // Every route, as nobody, as who guesses and as an administrator: in path, query, headers and every member.
      for (const { method, path, query, body } of describedRoutes) {
        const asked = Object.keys(query?.shape ?? {}).map((name) => `${name}=${canary}`);
        const address = `${url}${path.replaceAll(/\{\w+\}/g, canary)}?${asked.join('&')}`;
        const members = Object.fromEntries(membersOf(body).map((name) => [name, canary]));
        for (const authorization of ['', `Bearer ${canary}`, `Bearer ${adminToken}`]) {
          for (const json of method === 'get' ? [undefined] : [canary, members, { ...members, prompt: canary }]) {
            const response = await fetch(address, {
              method: method.toUpperCase(),
              headers: {
                'content-type': 'application/json',
                cookie: `kbs-session-id=${canary}`,
                'user-agent': canary,
                ...(authorization === '' ? {} : { authorization }),
              },
              ...(json === undefined ? {} : { body: JSON.stringify(json) }),
            });
            await response.arrayBuffer();
            // Nothing of this was slowed down in front of what would have logged it.
            expect(response.status, address).not.toBe(429);
          }
        }
      }
      const refusals: [string, RequestInit & { json?: unknown; token?: string }][] = [
        ['/v1/key-releases', { method: 'POST', json: { prompt: canary, nonce: nonce.nonce } }],
        [`/v1/admin/${canary}`, { token: canary }],
        [`/v1/${canary}`, { method: 'POST', json: canary }],
        [
          '/v1/admin/revocations',
          { method: 'POST', token: adminToken, json: { kind: 'release', value: canary, reason: 'x' } },
        ],
      ];
      for (const [path, init] of refusals)
        expect((await call(`${url}${path}`, init)).status, path).toBeGreaterThan(399);
      expectFree(await (await fetch(`${broker.operationsUrl}/metrics`)).text(), secrets);
      const checkpoint = await readCheckpoint(served(broker), await trustOf(broker));
      const texts: string[] = [];
      await verifyEntries(served(broker), checkpoint, (_, entry) => void texts.push(utf8Decode(entry)));
      expect(texts.length).toBeGreaterThan(8);
      expectFree(texts.join('\n'), secrets);
    });
    const folder = `${place.auditPath}.tlog`;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const path = join(folder, name);
      if (statSync(path).isFile()) expectFree(readFileSync(path, 'latin1'), secrets);
    }
    expectFree(readFileSync(place.auditPath, 'latin1'), secrets);
  });
});

/** The names of the members that a body may have, of every form it may take. */
function membersOf(body: z.ZodType | undefined): string[] {
  if (body === undefined) return [];
  const form = z.looseObject({
    properties: z.record(z.string(), z.unknown()).optional(),
    anyOf: z.array(z.unknown()).optional(),
    oneOf: z.array(z.unknown()).optional(),
  });
  const namesOf = (schema: unknown): string[] => {
    const { properties = {}, anyOf = [], oneOf = [] } = form.parse(schema);
    return [...Object.keys(properties), ...[...anyOf, ...oneOf].flatMap(namesOf)];
  };
  return [...new Set(namesOf(z.toJSONSchema(body, { unrepresentable: 'any', io: 'input' })))];
}

/** Neither as they are nor in any usual spelling. */
function expectFree(text: string, secrets: readonly Uint8Array[]): void {
  for (const secret of secrets) {
    const bytes = Buffer.from(secret);
    const spellings = (['latin1', 'hex', 'base64', 'base64url'] as const).map((encoding) => bytes.toString(encoding));
    for (const spelling of spellings) expect(text.includes(spelling.replace(/=+$/, ''))).toBe(false);
  }
}
