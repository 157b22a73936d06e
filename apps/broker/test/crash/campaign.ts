import { freshPath } from '../fresh-path.ts';
import { openAnchor, type DatabaseLocation } from '../../src/index.ts';
import type { TestRelease, World } from '../world.ts';
import { bundleBrokerProcess, createBrokerProcess, startLoad, type BrokerProcess } from './fleet.ts';
import { compareWithLedger, createLedger, createLogReader, forgetNonces, verifyLogOf } from './ledger.ts';

/** What a campaign of kills came to. */
export interface CampaignResult {
  readonly kills: number;
  readonly acknowledged: number;
  readonly entries: number;
  /** Entries of the transparency logs, each of which leads to a signed checkpoint. */
  readonly proven: number;
  /** Counters that were watched: none of them ever fell, or it is among `lost`. */
  readonly counters: number;
  /** What was acknowledged and is gone, or fell. Nothing, if all is well. */
  readonly lost: readonly string[];
  readonly leases: number;
  readonly renewals: number;
  readonly registered: number;
  readonly revoked: number;
  readonly anchor: number;
  readonly refusals: ReadonlyMap<string, number>;
  readonly errors: readonly string[];
}

/**
 * Brokers under load that are killed at random moments, one at a time, and started again. While others run, the load goes on
 * with them. After every round in which all were killed (with one broker: after each kill) and at the end, everything that
 * was acknowledged is looked for in the database and in the logs.
 */
export async function runCampaign(options: {
  world: World;
  location: DatabaseLocation;
  /** A database apart from that one, for an anchor, as `freshness.anchor` names it. */
  anchor: string;
  /** 1 for SQLite; any number on a server. */
  brokers: number;
  /**
   * How many at least. It goes on until each writing path was acknowledged once, for at most five times as many: when the kills
   * come is chance, and a campaign in which no revocation came through says nothing of revocations.
   */
  kills: number;
  clients?: number;
  onRound?: (kills: number, acknowledged: number, lost: number) => void;
}): Promise<CampaignResult> {
  const { world, location, anchor, kills, clients = 4, onRound } = options;
  const ledger = createLedger();
  const instances = Array.from({ length: options.brokers }, (_, index) =>
    index === 0 ? 'default' : `broker-${index}`,
  );
  const logs = new Map(instances.map((instance) => [instance, freshPath(world.directory, 'audit')]));
  const log = createLogReader(logs);
  const base = Date.now();
  await using made = await openAnchor({ anchor, name: 'crash' });
  await made.provision();
  const program = await bundleBrokerProcess(world.directory);
  const brokers = [...logs].map(([instance, auditPath]) =>
    createBrokerProcess({
      program,
      world,
      ledger,
      location,
      anchor,
      instance,
      auditPath,
      base,
      anchorEveryMs: 2,
    }),
  );
  let version = 1;
  const modelId = 'tiny';
  let current: TestRelease | undefined;
  let pending = { release: await world.release({ version }, { modelId }), modelId, version };
  let offered = true;
  const lost: string[] = [];
  const refusals = new Map<string, number>();
  let counters: ReadonlyMap<string, number> = new Map();
  const compare = async (): Promise<void> => {
    const findings = await compareWithLedger({ ledger, log, location, anchor, before: counters });
    lost.push(...findings.lost);
    counters = findings.counters;
    forgetNonces(ledger, 60_000);
  };
  const load = (): { stop(): Promise<void> } => {
    const started = startLoad({
      world,
      ledger,
      brokers,
      clients,
      release() {
        if (ledger.registered.has(pending.release.digestHex)) current = pending.release;
        return current;
      },
      next() {
        if (!offered) return undefined;
        offered = false;
        return pending;
      },
    });
    return {
      async stop() {
        await started.stop();
        for (const [code, count] of started.refusals) refusals.set(code, (refusals.get(code) ?? 0) + count);
      },
    };
  };
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  /** Nobody can foresee when: after some writes, and not long after one was acknowledged. */
  const moment = async (): Promise<void> => {
    const until = ledger.acknowledged + Math.floor(60 * Math.random() ** 2);
    for (let waited = 0; waited < 3000 && ledger.acknowledged <= until; waited += 5) await pause(5);
    await pause(20 * Math.random());
  };
  const makeNext = async (): Promise<void> => {
    // What was killed before it was acknowledged is tried again.
    if (ledger.registered.has(pending.release.digestHex)) {
      current = pending.release;
      version += 1;
      pending = { release: await world.release({ version }, { modelId }), modelId, version };
    }
    offered = true;
  };

  let killed = 0;
  const goesOn = (): boolean =>
    killed < kills ||
    (killed < 5 * kills &&
      [ledger.leases.size, ledger.registered.size, ledger.revoked.size, ledger.anchor].includes(0));
  if (brokers.length === 1) {
    const [broker] = brokers as [BrokerProcess];
    while (goesOn()) {
      // Now and then it is killed while it starts: opening, replaying and migrating write too.
      if (killed > 0 && Math.random() < 0.1) {
        const starting = broker.start().catch(() => {});
        await pause(600 * Math.random());
        await broker.kill();
        await starting;
        killed += 1;
      }
      await Promise.all([broker.start(), makeNext()]);
      const clientsNow = load();
      await moment();
      await broker.kill();
      killed += 1;
      await clientsNow.stop();
      await compare();
      onRound?.(killed, ledger.acknowledged + ledger.anchorSteps, lost.length);
    }
  } else {
    while (goesOn()) {
      await Promise.all(brokers.map((broker) => broker.start()));
      const clientsNow = load();
      // Brokers forget nonces after ten minutes: compared this often, none is forgotten before it was looked for.
      for (let round = 0; round < 10 && goesOn(); round += 1) {
        await moment();
        const broker = brokers[killed % brokers.length];
        await broker?.kill();
        killed += 1;
        // The others serve alone for a while.
        await moment();
        await Promise.all([broker?.start(), makeNext()]);
        onRound?.(killed, ledger.acknowledged + ledger.anchorSteps, lost.length);
      }
      await moment();
      await clientsNow.stop();
      await Promise.all(brokers.map((broker) => broker.kill()));
      await compare();
    }
  }
  // Once more, and this time they may end: what they signed is then compared with what they wrote.
  let proven = 0;
  for (const broker of brokers) {
    await broker.start();
    await broker.stop();
    try {
      proven += await verifyLogOf({ auditPath: broker.auditPath, logKey: broker.logKey ?? '' });
    } catch (error) {
      lost.push(`the log of ${broker.instance}: ${String(error)}`);
    }
  }
  await compare();
  return {
    kills: killed,
    proven,
    acknowledged: ledger.acknowledged + ledger.anchorSteps,
    entries: log.entries,
    lost,
    leases: ledger.leases.size,
    renewals: [...ledger.leases.values()].reduce((sum, { renewals }) => sum + renewals, 0),
    counters: counters.size,
    registered: ledger.registered.size,
    revoked: ledger.revoked.size,
    anchor: ledger.anchor,
    refusals,
    errors: brokers.flatMap(({ errors }) => errors),
  };
}
