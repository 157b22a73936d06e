import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import type { FreshnessAnchor } from '@fastness/evidence/freshness';
import { startSwtpm, swtpmInstalled, type RunningSwtpm } from '@fastness/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAnchor, startConfiguredBroker, loadBrokerConfig, type Broker, type BrokerOptions } from '../src/index.ts';
import { admin, call, createEnclave, granted, refusalOf, requestKey, type TestEnclave } from './actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { createWorld, passphrase, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let release: TestRelease;
let enclave: TestEnclave;

beforeAll(async () => {
  world = await createWorld(directory);
  release = await world.release();
  enclave = await createEnclave();
});
afterAll(async () => {
  await world.keyStore[Symbol.asyncDispose]();
});

/** What a host can copy while a broker is down, and put back later. */
const parts = {
  database: ['database', 'database-wal', 'database-shm'],
  // The audit log, and what is published of it.
  log: ['audit', 'audit.tlog'],
  record: ['audit.freshness'],
  'TPM state': ['tpm/state'],
} as const;
type Part = keyof typeof parts;

interface Site {
  readonly folder: string;
  /** Runs a broker on the state that is there. */
  run<T>(work: (broker: Broker) => Promise<T>, changes?: Partial<BrokerOptions> & { adopt?: boolean }): Promise<T>;
  /** The code with which a broker refuses to start, or 'started'. */
  start(changes?: { adopt?: boolean }): Promise<string>;
  backup(name: string): void;
  restore(name: string, ...what: Part[]): Promise<void>;
  anchor(): Promise<FreshnessAnchor | undefined>;
  emulator(): RunningSwtpm | undefined;
  end(): Promise<void>;
}

async function createSite(kind: 'TPM' | 'database' | 'nothing'): Promise<Site> {
  const folder = freshPath(directory, 'site');
  mkdirSync(join(folder, 'tpm'), { recursive: true });
  let emulator = kind === 'TPM' ? await startSwtpm(join(folder, 'tpm')) : undefined;
  const description =
    kind === 'TPM'
      ? `tpm:swtpm:${join(folder, 'tpm/tpm.sock')}`
      : kind === 'database'
        ? `sqlite:${join(folder, 'elsewhere.db')}`
        : 'none';
  const anchor = async (): Promise<FreshnessAnchor | undefined> =>
    kind === 'nothing' ? undefined : await openAnchor({ anchor: description });
  const site: Site = {
    folder,
    anchor,
    emulator: () => emulator,
    async run(work, { adopt = false, ...changes } = {}) {
      const opened = changes.freshness === undefined ? await anchor() : undefined;
      try {
        const broker = await world.start({
          databasePath: join(folder, 'database'),
          auditPath: join(folder, 'audit'),
          ...(opened === undefined ? {} : { freshness: { anchor: opened, adopt } }),
          ...changes,
        });
        try {
          return await work(broker);
        } finally {
          await broker.close();
        }
      } finally {
        await opened?.[Symbol.asyncDispose]();
      }
    },
    async start(changes = {}) {
      try {
        return await site.run(() => Promise.resolve('started'), changes);
      } catch (error) {
        if (error instanceof FastnessError) return error.code;
        throw error;
      }
    },
    backup(name) {
      for (const file of Object.values(parts).flat()) {
        const from = join(folder, file);
        if (existsSync(from)) cpSync(from, join(folder, name, file), { recursive: true });
      }
    },
    async restore(name, ...what) {
      if (what.includes('TPM state')) await emulator?.kill();
      for (const file of what.flatMap((each) => parts[each])) {
        rmSync(join(folder, file), { recursive: true, force: true });
        const from = join(folder, name, file);
        if (existsSync(from)) cpSync(from, join(folder, file), { recursive: true });
      }
      if (what.includes('TPM state')) emulator = await startSwtpm(join(folder, 'tpm'));
    },
    async end() {
      await emulator?.kill();
    },
  };
  return site;
}

describe.each(['TPM', 'database'] as const)('a broker whose state is anchored in a %s', (kind) => {
  // A real TPM 2.0 emulator; where Debian's swtpm is not installed, its half does not run.
  const test = it.skipIf(kind === 'TPM' && !swtpmInstalled);
  let site: Site;
  beforeEach(async () => {
    if (kind === 'database' || swtpmInstalled) site = await createSite(kind);
  });
  afterEach(async () => {
    if (kind === 'database' || swtpmInstalled) await site.end();
  });
  /** A broker that served a release (copied: `early`), then revoked it (copied: `late`). */
  const live = async (): Promise<void> => {
    await site.run(async ({ url }) => {
      await admin.registered(url, release);
      granted(await requestKey(url, { world, enclave, release }));
    });
    site.backup('early');
    await site.run(async ({ url }) => {
      expect((await admin.revoke(url, 'release', release.digestHex)).status).toBe(200);
    });
    site.backup('late');
  };

  test('starts again with the newest state, and says in the log how it found it', async () => {
    await live();
    await site.run(async ({ url }) => {
      expect(refusalOf(await requestKey(url, { world, enclave, release }))).toBe('BROKER_RELEASE_REVOKED');
      const starts = (await admin.audit(url)).filter((entry) => entry.kind === 'start');
      expect(starts.map(({ facts }) => facts['freshnessFound'])).toEqual(['new', 'current', 'current']);
      expect(starts[0]?.facts['freshness']).toBe(kind === 'TPM' ? 'tpm-nv' : 'database');
    });
  });

  test.each<[Part[], string]>([
    [['database'], 'FRESHNESS_STATE_OLDER'],
    [['record'], 'FRESHNESS_STATE_OLDER'],
    // The database remembers an entry that this log does not have.
    [['log'], 'AUDIT_CHAIN_BROKEN'],
    [['log', 'database'], 'FRESHNESS_STATE_OLDER'],
    [['log', 'record'], 'FRESHNESS_STATE_OLDER'],
    [['database', 'record'], 'FRESHNESS_STATE_OLDER'],
    [['database', 'log', 'record'], 'FRESHNESS_STATE_OLDER'],
  ])('refuses to start on an old %s', async (what, code) => {
    await live();
    await site.restore('early', ...what);
    expect(await site.start()).toBe(code);
    await site.restore('late', 'database', 'log', 'record');
    expect(await site.start()).toBe('started');
  });

  test('refuses to start without its record, and with the record of another broker', async () => {
    await live();
    rmSync(join(site.folder, 'audit.freshness'));
    expect(await site.start()).toBe('FRESHNESS_RECORD_MISSING');
    // Nor when everything is gone, as if it were new.
    for (const part of ['database', 'log', 'record'] as const) await site.restore('nowhere', part);
    expect(await site.start()).toBe('FRESHNESS_RECORD_MISSING');
    await site.restore('late', 'database', 'log', 'record');
    const opened = await site.anchor();
    try {
      const other = world.start({
        databasePath: join(site.folder, 'database'),
        auditPath: join(site.folder, 'audit'),
        signer: { keyStore: world.keyStore, keyId: 'other-broker' },
        ...(opened === undefined ? {} : { freshness: { anchor: opened } }),
      });
      await expect(other).rejects.toMatchObject({ code: 'FRESHNESS_RECORD_INVALID' });
    } finally {
      await opened?.[Symbol.asyncDispose]();
    }
  });

  test('starts on older state when a person adopts it, and that is in the log', async () => {
    await live();
    await site.restore('early', 'database', 'log', 'record');
    await site.run(
      async ({ url }) => {
        expect((await admin.audit(url)).at(-1)?.facts).toMatchObject({ freshnessFound: 'adopted' });
      },
      { adopt: true },
    );
    expect(await site.start()).toBe('started');
    // What was newest once is a fork now.
    await site.restore('late', 'record');
    expect(['FRESHNESS_STATE_OLDER', 'FRESHNESS_STATE_FORKED']).toContain(await site.start());
  });

  test('confirms changes that come together with few steps, and key releases with none of their own', async () => {
    await site.run(async () => {});
    const opened = await site.anchor();
    if (opened === undefined) throw new Error('no anchor');
    let steps = 0;
    const counting: FreshnessAnchor = {
      ...opened,
      advance: async (expected, digest) => {
        steps += 1;
        return await opened.advance(expected, digest);
      },
    };
    try {
      await site.run(
        async ({ url }) => {
          await admin.registered(url, release);
          const before = steps;
          const answers = await Promise.all(
            Array.from({ length: 12 }, (_each, place) => admin.revoke(url, 'platform', `csp-id:machine-${place}`)),
          );
          expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
          expect(steps - before).toBeLessThan(12);
          const quiet = steps;
          for (let place = 0; place < 3; place += 1) granted(await requestKey(url, { world, enclave, release }));
          expect(steps).toBe(quiet);
        },
        { freshness: { anchor: counting } },
      );
      // Closing anchors what is left.
      const closed = steps;
      await site.run(
        async ({ url }) => {
          granted(await requestKey(url, { world, enclave, release }));
          await expect.poll(() => steps).toBeGreaterThan(closed + 1);
        },
        { freshness: { anchor: counting, epochSeconds: 0.1 } },
      );
    } finally {
      await opened[Symbol.asyncDispose]();
    }
  });

  test.each(['before', 'after'] as const)(
    'confirms nothing when the anchor fails %s its step, and finishes at the next start',
    async (failing) => {
      await site.run(async ({ url }) => {
        await admin.registered(url, release);
      });
      const opened = await site.anchor();
      if (opened === undefined) throw new Error('no anchor');
      let broken = false;
      const anchor: FreshnessAnchor = {
        ...opened,
        advance: async (expected, digest) => {
          if (broken && failing === 'before') throw new FastnessError('TPM_DEVICE_TIMEOUT');
          const reached = await opened.advance(expected, digest);
          if (broken) throw new FastnessError('TPM_DEVICE_TIMEOUT');
          return reached;
        },
      };
      try {
        await site.run(
          async ({ url }) => {
            broken = true;
            expect(refusalOf(await admin.revoke(url, 'release', release.digestHex))).toBe('FRESHNESS_UNAVAILABLE');
            // Nothing goes on without its anchor.
            expect(refusalOf(await requestKey(url, { world, enclave, release }))).not.toBe('none');
            expect(refusalOf(await call(`${url}/health`))).toBe('FRESHNESS_UNAVAILABLE');
          },
          { freshness: { anchor } },
        );
      } finally {
        await opened[Symbol.asyncDispose]();
      }
      await site.run(async ({ url }) => {
        // It was not confirmed, and it was not lost: the safe side of a revocation.
        expect(refusalOf(await requestKey(url, { world, enclave, release }))).toBe('BROKER_RELEASE_REVOKED');
        const found = (await admin.audit(url)).findLast((entry) => entry.kind === 'start')?.facts['freshnessFound'];
        expect(found).toBe(failing === 'before' ? 'completed' : 'current');
      });
    },
  );
});

describe.skipIf(!swtpmInstalled)('a broker whose state is anchored in a virtual TPM', () => {
  let site: Site;
  beforeEach(async () => {
    site = await createSite('TPM');
    await site.run(async ({ url }) => {
      await admin.registered(url, release);
    });
    site.backup('early');
    await site.run(async ({ url }) => {
      expect((await admin.revoke(url, 'release', release.digestHex)).status).toBe(200);
    });
  });
  afterEach(() => site.end());

  it('notices that the state of the TPM alone was put back', async () => {
    await site.restore('early', 'TPM state');
    expect(await site.start()).toBe('FRESHNESS_STATE_NEWER');
  });

  it('notices another TPM', async () => {
    await site.restore('nowhere', 'TPM state');
    expect(await site.start()).toBe('FRESHNESS_ANCHOR_MISSING');
  });

  it('CANNOT notice that the state of the TPM was put back together with everything else', async () => {
    await site.restore('early', 'TPM state', 'database', 'log', 'record');
    await site.run(async ({ url }) => {
      granted(await requestKey(url, { world, enclave, release }));
    });
  });

  it('loses nothing that it confirmed when the TPM is killed at any moment', async () => {
    const confirmed: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      const emulator = site.emulator();
      await site
        .run(async ({ url }) => {
          const killed = new Promise((resolve) => setTimeout(resolve, 20 + round * 35)).then(() => emulator?.kill());
          for (let place = 0; place < 40; place += 1) {
            const value = `csp-id:machine-${round}-${place}`;
            const answer = await admin.revoke(url, 'platform', value);
            if (answer.status !== 200) break;
            confirmed.push(value);
          }
          await killed;
        })
        .catch((error: unknown) => {
          // The key of the anchor cannot be unloaded from a TPM that is gone.
          if (!(error instanceof FastnessError)) throw error;
        });
      site.backup('now');
      await site.restore('now', 'TPM state');
    }
    await site.run(async ({ url }) => {
      const revoked = (await admin.audit(url))
        .filter((entry) => entry.kind === 'revocation')
        .map((entry) => entry.facts['value']);
      for (const value of confirmed) expect(revoked).toContain(value);
    });
  });
});

describe('a broker without an anchor', () => {
  it('starts on any old state: what was revoked is back', async () => {
    const site = await createSite('nothing');
    await site.run(async ({ url }) => {
      await admin.registered(url, release);
    });
    site.backup('early');
    await site.run(async ({ url }) => {
      expect((await admin.revoke(url, 'release', release.digestHex)).status).toBe(200);
    });
    await site.restore('early', 'database', 'log');
    await site.run(async ({ url }) => {
      granted(await requestKey(url, { world, enclave, release }));
      expect((await admin.audit(url))[0]?.facts['freshness']).toBe('none');
    });
  });

  it('gets one only when a person adopts the state that is there', async () => {
    const site = await createSite('nothing');
    await site.run(async () => {});
    const anchored = { anchor: `sqlite:${join(site.folder, 'elsewhere.db')}` };
    const start = async (adopt: boolean): Promise<string> => {
      try {
        const freshness = { anchor: () => openAnchor(anchored), adopt };
        return await site.run(() => Promise.resolve('started'), { freshness });
      } catch (error) {
        return error instanceof FastnessError ? error.code : 'other';
      }
    };
    expect(await start(false)).toBe('FRESHNESS_RECORD_MISSING');
    expect(await start(true)).toBe('started');
    expect(await start(false)).toBe('started');
  });
});

describe('the configuration of a broker', () => {
  it('names its anchor, and nothing that is none', async () => {
    const folder = freshPath(directory, 'config');
    mkdirSync(folder);
    writeFileSync(join(folder, 'passphrase'), passphrase, { mode: 0o600 });
    const keyStore = { kind: 'software', path: world.keyStorePath, passphrasePath: 'passphrase' };
    const write = async (freshness: unknown): Promise<ReturnType<typeof loadBrokerConfig>> => {
      const path = join(folder, 'broker.json');
      writeFileSync(
        path,
        JSON.stringify({
          version: 1,
          listen: { port: 0 },
          databasePath: 'broker.db',
          auditPath: 'audit.log',
          keyStore,
          signer: { keyId: 'broker' },
          policy: world.policy,
          adminTokenSha256: 'ab'.repeat(32),
          ...(freshness === undefined ? {} : { freshness }),
        }),
      );
      return await loadBrokerConfig(path);
    };
    const config = await write({ anchor: 'sqlite:elsewhere.db', epochSeconds: 5 });
    expect(config.freshness?.anchor).toBe(`sqlite:${join(folder, 'elsewhere.db')}`);
    const broker = await startConfiguredBroker(config);
    expect(broker.freshness?.description).toBe(`row broker of ${basename('elsewhere.db')}`);
    await broker.close();
    await (await startConfiguredBroker(config)).close();
    const unanchored = await startConfiguredBroker(await write({ anchor: 'none' }));
    expect(unanchored.freshness).toBeUndefined();
    await unanchored.close();
    for (const anchor of ['', 'tpm', 'tpm:', 'tpm:device:', 'file:x', 'postgres:x']) {
      await expect(write({ anchor })).rejects.toMatchObject({ code: 'BROKER_CONFIG_INVALID' });
    }
    await expect(startConfiguredBroker(await write({ anchor: 'tpm:device:nowhere' }))).rejects.toMatchObject({
      code: 'TPM_DEVICE_UNREACHABLE',
    });
  });
});
