import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { openFreshState, type FreshnessAnchor, type RecordSeal, type RecordStore } from '@fastness/evidence/freshness';
import { utf8Decode } from '@fastness/codec';
import { openCheckpoint, parseVerifierKey, verifyProof } from '@fastness/log';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readWitnesses } from '../src/audit/witnesses.ts';
import { openWitnessedAnchor } from '../src/freshness/witnessed-anchor.ts';
import { brokerLogKey, openAnchor, type BrokerOptions, type BrokerWitnessesConfig } from '../src/index.ts';
import { admin, createEnclave, granted, refusalOf, requestKey, type TestEnclave } from './actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { startWitness, type TestWitness } from './witnesses.ts';
import { createWorld, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let release: TestRelease;
let enclave: TestEnclave;
let stateKey: string;
let logKey: string;
let witnesses: TestWitness[];

const keyId = (): string => createHash('sha256').update(world.brokerKey).digest('hex').slice(0, 32);

beforeAll(async () => {
  world = await createWorld(directory);
  logKey = (await brokerLogKey(world.brokerKey)).text;
  stateKey = (await brokerLogKey(world.brokerKey, `fastness-broker-state/${keyId()}/broker`)).text;
  release = await world.release();
  enclave = await createEnclave();
});
afterAll(async () => {
  await world.keyStore[Symbol.asyncDispose]();
});
beforeEach(async () => {
  witnesses = await Promise.all(
    ['w1.example', 'w2.example', 'w3.example'].map(async (name) =>
      startWitness({
        name,
        directory: freshPath(directory, 'witness'),
        logKeys: [logKey, stateKey],
        now: () => world.clock.now,
      }),
    ),
  );
});
afterEach(async () => {
  await Promise.all(witnesses.map(async (witness) => witness[Symbol.asyncDispose]()));
});

const configured = (changes: Partial<BrokerWitnessesConfig> = {}): BrokerWitnessesConfig => ({
  threshold: 2,
  list: witnesses.map(({ key, url }) => ({ key, url })),
  // Long enough for any machine; a witness that must not answer says so at once.
  timeoutSeconds: 60,
  patienceSeconds: 0,
  ...changes,
});
const absent = (): Promise<never> => Promise.reject(new Error('out of order'));
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'done',
    (error: unknown) => (error instanceof FastnessError ? error.code : String(error)),
  );

describe('an anchor of witnesses', () => {
  const parts = {
    state: ['database', 'database-wal', 'database-shm', 'audit', 'audit.tlog', 'audit.freshness'],
    anchor: ['audit.anchor-broker'],
  };
  type Part = keyof typeof parts;
  const site = () => {
    const folder = freshPath(directory, 'site');
    mkdirSync(folder);
    const options = (
      changes: Partial<BrokerWitnessesConfig> = {},
      name = 'broker',
      adopt = false,
    ): Partial<BrokerOptions> => ({
      databasePath: join(folder, 'database'),
      auditPath: join(folder, 'audit'),
      log: { witnesses: configured(changes) },
      freshness: { anchor: (host) => openAnchor({ anchor: 'witnesses', name }, host), adopt },
    });
    return {
      options,
      async run<T>(work: (url: string) => Promise<T>, started = options()): Promise<T> {
        const broker = await world.start(started);
        try {
          return await work(broker.url);
        } finally {
          await broker.close();
        }
      },
      async start(started = options()): Promise<string> {
        return await codeOf(world.start(started).then((broker) => broker.close()));
      },
      backup(name: string): void {
        for (const file of Object.values(parts).flat()) {
          if (existsSync(join(folder, file))) cpSync(join(folder, file), join(folder, name, file), { recursive: true });
        }
      },
      restore(name: string, ...what: Part[]): void {
        for (const file of what.flatMap((each) => parts[each])) {
          rmSync(join(folder, file), { recursive: true, force: true });
          if (existsSync(join(folder, name, file)))
            cpSync(join(folder, name, file), join(folder, file), { recursive: true });
        }
      },
    };
  };

  it('notices state that was put back, alone or with the whole disk, and a disk that was emptied', async () => {
    const place = site();
    await place.run(async (url) => {
      await admin.registered(url, release);
    });
    place.backup('early');
    await place.run(async (url) => {
      expect((await admin.revoke(url, 'release', release.digestHex)).status).toBe(200);
    });
    place.backup('late');
    for (const [from, what, code] of [
      ['early', ['state', 'anchor'], 'FRESHNESS_STATE_OLDER'],
      ['early', ['anchor'], 'FRESHNESS_STATE_OLDER'],
      ['nowhere', ['state', 'anchor'], 'FRESHNESS_STATE_OLDER'],
      ['nowhere', ['anchor'], 'FRESHNESS_ANCHOR_MISSING'],
    ] as const) {
      place.restore('late', 'state', 'anchor');
      place.restore(from, ...what);
      expect(await place.start(), `${from}: ${what.join()}`).toBe(code);
    }
    // A log that was put back and started again and again grows past what the witnesses saw, and is still another one.
    place.restore('early', 'state', 'anchor');
    for (let attempt = 0; attempt < 6; attempt += 1) expect(await place.start()).toBe('FRESHNESS_STATE_OLDER');
    place.restore('late', 'state', 'anchor');
    place.restore('early', 'state');
    expect(await place.start()).toBe('FRESHNESS_STATE_OLDER');
    // The anchor's own folder has gone on with that; it stays as it is.
    place.restore('late', 'state');
    await place.run(async (url) => {
      expect(refusalOf(await requestKey(url, { world, enclave, release }))).toBe('BROKER_RELEASE_REVOKED');
      expect((await admin.audit(url)).at(-2)).toMatchObject({
        kind: 'start',
        facts: { freshness: 'witnessed-checkpoint', freshnessFound: 'current' },
      });
    });
  });

  it('believes a majority: one witness may be away or have another history, two may not', async () => {
    const place = site();
    await place.run(async () => {});
    place.backup('early');
    await place.run(async () => {});
    const [first, second] = witnesses;
    if (first === undefined || second === undefined) throw new Error('no witnesses');
    first.instead = absent;
    expect(await place.start()).toBe('done');
    second.instead = absent;
    expect(await place.start()).toBe('FRESHNESS_UNAVAILABLE');
    // The two that have seen the newest are away; the third alone is nobody to believe.
    place.restore('early', 'state', 'anchor');
    expect(await place.start()).toMatch(/^FRESHNESS_(?:UNAVAILABLE|STATE_OLDER)$/);
    second.instead = undefined;
    expect(await place.start()).toBe('FRESHNESS_STATE_OLDER');
    expect(await place.start(place.options({ threshold: 1 }))).toBe('FRESHNESS_CONFIG');
  });

  it('asks again those that do not answer, for a while', async () => {
    const place = site();
    let refusals = 3;
    for (const witness of witnesses) {
      witness.onRequest = () => {
        witness.instead = refusals > 0 ? absent : undefined;
        refusals -= 1;
      };
    }
    expect(await place.start(place.options({ patienceSeconds: 600 }))).toBe('done');
  });

  it('adopts old state only under a name that the witnesses do not know yet', async () => {
    const place = site();
    await place.run(async () => {});
    place.backup('early');
    await place.run(async () => {});
    place.restore('early', 'state', 'anchor');
    expect(await place.start(place.options({}, 'broker', true))).toBe('FRESHNESS_STATE_OLDER');
    // Whoever runs the witnesses has to agree: they do not watch the new name by themselves.
    expect(await place.start(place.options({}, 'second', true))).toBe('FRESHNESS_UNAVAILABLE');
    const second = (await brokerLogKey(world.brokerKey, `fastness-broker-state/${keyId()}/second`)).text;
    await Promise.all(witnesses.map(async (witness) => witness[Symbol.asyncDispose]()));
    witnesses = await Promise.all(
      witnesses.map(async ({ name }) =>
        startWitness({ name, directory: freshPath(directory, 'witness'), logKeys: [second], now: () => new Date() }),
      ),
    );
    expect(await place.start(place.options({}, 'second', true))).toBe('done');
    expect(await place.start(place.options({}, 'second'))).toBe('done');
  });

  it('loses no step, whichever request it dies at', async () => {
    const records: RecordStore & { kept?: Uint8Array } = {
      read: async () => records.kept,
      write: async (record) => {
        records.kept = record;
      },
    };
    const seal: RecordSeal = { protect: async (record) => record, open: async (sealed) => sealed };
    const key = await parseVerifierKey(stateKey);
    const folder = freshPath(directory, 'steps');
    let left = Number.POSITIVE_INFINITY;
    const dying: typeof fetch = async (input, init) => {
      left -= 1;
      if (left < 0) throw new Error('died');
      return await fetch(input, init);
    };
    const opened = async (): Promise<FreshnessAnchor> =>
      await openWitnessedAnchor({
        directory: folder,
        key,
        sign: (message) => world.keyStore.sign('broker', message),
        witnesses: { ...(await readWitnesses(configured())), fetch: dying },
      });
    const open = async (anchor: FreshnessAnchor) =>
      await openFreshState({ anchor, store: records, seal, empty: records.kept === undefined });
    {
      await using anchor = await opened();
      await (await open(anchor)).advance(Uint8Array.of(255));
    }
    for (let request = 0; request < 4; request += 1) {
      {
        await using anchor = await opened();
        const state = await open(anchor);
        left = request;
        const outcome = await codeOf(state.advance(Uint8Array.of(request)));
        left = Number.POSITIVE_INFINITY;
        expect(outcome).toBe(request < 2 ? 'FRESHNESS_UNAVAILABLE' : outcome);
      }
      await using anchor = await opened();
      const state = await open(anchor);
      expect(state.found).toMatch(/^(?:current|completed)$/);
      expect(state.content).toEqual(Uint8Array.of(request));
    }
  });
});

describe('the log of a broker', () => {
  it('is cosigned as it grows, and shows the cosigned checkpoint', async () => {
    const trust = async (threshold: number) => ({
      logKeys: [await parseVerifierKey(logKey)],
      witnesses: { keys: await Promise.all(witnesses.map(async ({ key }) => parseVerifierKey(key))), threshold },
    });
    const broker = await world.start({
      databasePath: freshPath(directory, 'database'),
      auditPath: freshPath(directory, 'audit'),
      log: { witnesses: configured({ intervalSeconds: 1 }) },
      operations: { port: 0 },
    });
    try {
      await admin.registered(broker.url, release);
      const cosigned = async (): Promise<number> => {
        const note = await (await fetch(`${broker.url}/v1/log/checkpoint`)).text();
        return await openCheckpoint(note, await trust(2)).then(
          ({ size }) => size,
          () => 0,
        );
      };
      const entries = (await admin.audit(broker.url)).length;
      await expect.poll(cosigned, { timeout: 100_000 }).toBe(entries);
      const metrics = await (await fetch(`${broker.operationsUrl}/metrics`)).text();
      expect(metrics).toMatch(/^fastness_log_cosigned_entries \d+$/m);
      expect(metrics).toMatch(/^fastness_witness_answers_total\{witness="w1\.example",outcome="cosigned"\} \d+$/m);
      granted(await requestKey(broker.url, { world, enclave, release }));
    } finally {
      await broker.close();
    }
  });

  it.each([
    ['more of them than there are', () => configured({ threshold: 4 }), 'BROKER_CONFIG_INVALID'],
    [
      'one of them twice',
      () => configured({ list: [...configured().list, ...configured().list] }),
      'BROKER_CONFIG_INVALID',
    ],
    [
      'the key of a log',
      () => configured({ threshold: 1, list: [{ key: logKey, url: 'http://w.example' }] }),
      'LOG_KEY_MALFORMED',
    ],
    [
      'an address that is none',
      () => configured({ threshold: 1, list: [{ key: logKey, url: 'file:///w' }] }),
      'BROKER_CONFIG_INVALID',
    ],
  ])('takes no witnesses with %s', async (_what, config, code) => {
    expect(await codeOf(readConfigured(config()))).toBe(code);
  });
});

describe('a model whose policy asks for witnesses', () => {
  const start = async (threshold: number) =>
    await world.start({
      databasePath: freshPath(directory, 'database'),
      auditPath: freshPath(directory, 'audit'),
      log: { witnesses: configured({ threshold, intervalSeconds: 86_400 }) },
      policy: { ...world.policy, models: { tiny: { transparency: { witnesses: 2 } } } },
    });

  it('gives key and lease with a proof that they cosigned, and nothing while they do not', async () => {
    const logged = await world.release({ logKey });
    const trust = {
      logKeys: [await parseVerifierKey(logKey)],
      witnesses: { keys: await Promise.all(witnesses.map(async ({ key }) => parseVerifierKey(key))), threshold: 2 },
    };
    const broker = await start(2);
    try {
      await admin.registered(broker.url, logged);
      const ask = async (leaseId?: string) =>
        await requestKey(broker.url, {
          world,
          enclave,
          release: logged,
          ...(leaseId === undefined ? {} : { leaseId }),
        });
      const proven = async (answer: Awaited<ReturnType<typeof ask>>) => {
        const { entry, checkpoint } = await verifyProof({ proof: granted(answer).logProof ?? '', trust });
        expect(checkpoint.verified.length).toBeGreaterThan(2);
        return auditEntry.parse(JSON.parse(utf8Decode(entry)));
      };
      const released = await proven(await ask());
      expect(released.kind).toBe('key-released');
      const { leaseId } = released.facts;
      expect((await proven(await ask(leaseId))).kind).toBe('lease-renewed');
      for (const witness of witnesses.slice(1)) witness.instead = absent;
      expect(refusalOf(await ask())).toBe('BROKER_WITNESSES_UNAVAILABLE');
      expect(refusalOf(await ask(leaseId))).toBe('BROKER_WITNESSES_UNAVAILABLE');
      const withheld = (await admin.audit(broker.url)).filter(({ kind }) => kind === 'key-withheld');
      expect(withheld.map(({ facts }) => facts['code'])).toEqual(['BROKER_WITNESSES_UNAVAILABLE']);
      for (const witness of witnesses) witness.instead = undefined;
      expect((await proven(await ask(leaseId))).kind).toBe('lease-renewed');
    } finally {
      await broker.close();
    }
  });

  it('is not served by a broker that has fewer cosign, or none', async () => {
    expect(await codeOf(start(1))).toBe('BROKER_CONFIG_INVALID');
    const policy = { ...world.policy, models: { tiny: { transparency: { witnesses: 1 } } } };
    expect(await codeOf(world.start({ policy }))).toBe('BROKER_CONFIG_INVALID');
  });
});

const auditEntry = z.object({ kind: z.string(), facts: z.object({ leaseId: z.string() }) });

async function readConfigured(witnessesConfig: BrokerWitnessesConfig): Promise<void> {
  const broker = await world.start({
    databasePath: freshPath(directory, 'database'),
    auditPath: freshPath(directory, 'audit'),
    log: { witnesses: witnessesConfig },
  });
  await broker.close();
}
