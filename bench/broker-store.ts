// Key releases with a full SEV-SNP verification on both databases, and entries of the audit log beside raw fdatasync in the
// same run. Run: npm run bench:broker. PostgreSQL is Debian's server, started for this run; without it, SQLite alone.
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { challengeSchema } from '@fastness/channel/wire';
import type { DatabaseLocation } from '@fastness/broker';
import { openAuditLog, type AuditLog } from '../apps/broker/src/audit/log.ts';
import { bundleBrokerProcess, createBrokerProcess, type BrokerProcess } from '../apps/broker/test/crash/fleet.ts';
import { createLedger } from '../apps/broker/test/crash/ledger.ts';
import { attest, createEnclave } from '../apps/broker/test/enclave.ts';
import { freshPath } from '../apps/broker/test/fresh-path.ts';
import { postgresPrograms } from '../apps/broker/test/postgres-programs.ts';
import { startPostgres, type PostgresServer } from '../apps/broker/test/postgres.ts';
import { adminToken, createWorld, type World } from '../apps/broker/test/world.ts';
import { alternate, median, printFigures, timed, type Figure } from './support.ts';

const rounds = Number(process.argv[2] ?? 5);
const requestsPerRound = 100;
const concurrency = 8;
const entriesPerRound = 500;
const directory = mkdtempSync(join(tmpdir(), 'fastness-bench-broker-'));
const post = async (url: string, json: unknown, method: 'POST' | 'PUT' = 'POST'): Promise<unknown> => {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminToken}` },
    body: JSON.stringify(json),
  });
  const body: unknown = await response.json();
  if (response.status !== 200) throw new Error(JSON.stringify(body));
  return body;
};

interface Sample {
  readonly perSecond: number;
  readonly latencies: readonly number[];
}

let version = 0;

/** Requests are forged before the clock starts; what is timed is the broker's part, over HTTP on this machine. */
async function releaseRound(world: World, brokers: readonly BrokerProcess[]): Promise<Sample> {
  version += 1;
  const release = await world.release({ version });
  const urls = brokers.map(({ url = '' }) => url);
  const [first = ''] = urls;
  await post(`${first}/v1/admin/releases`, { package: release.package, keys: release.keys }, 'PUT');
  const enclave = await createEnclave();
  const requests: unknown[] = [];
  for (let count = 0; count < requestsPerRound; count += 1) {
    const { nonce } = challengeSchema.parse(await post(`${first}/v1/challenges`, {}));
    requests.push(await attest({ world, enclave, release, nonce }));
  }
  const latencies: number[] = [];
  let next = 0;
  const took = await timed(() =>
    Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (next < requests.length) {
          const index = next;
          next += 1;
          const url = urls[index % urls.length] ?? first;
          latencies.push(await timed(() => post(`${url}/v1/key-releases`, requests[index])));
        }
      }),
    ),
  );
  return { perSecond: (requests.length * 1000) / took, latencies };
}

const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

async function measureReleases(server: PostgresServer | undefined): Promise<void> {
  const world = await createWorld(directory);
  const program = await bundleBrokerProcess(directory);
  const start = async (location: DatabaseLocation, instance: string): Promise<BrokerProcess> => {
    const broker = createBrokerProcess({
      program,
      world,
      ledger: createLedger(),
      location,
      anchor: `sqlite:${freshPath(directory, 'anchor')}`,
      instance,
      auditPath: freshPath(directory, 'audit'),
      base: Date.now(),
    });
    await broker.start();
    return broker;
  };
  const places: Record<string, readonly BrokerProcess[]> = {
    SQLite: [await start({ kind: 'sqlite', path: freshPath(directory, 'database') }, 'default')],
  };
  if (server !== undefined) {
    const place = async (): Promise<DatabaseLocation> => ({
      kind: 'postgres',
      options: { url: await server.createDatabase() },
    });
    places['PostgreSQL'] = [await start(await place(), 'default')];
    const shared = await place();
    places['PostgreSQL, two brokers'] = [await start(shared, 'one'), await start(shared, 'two')];
  }
  const contenders = Object.fromEntries(
    Object.entries(places).map(([name, brokers]) => [name, () => releaseRound(world, brokers)]),
  );
  const samples = await alternate(contenders, rounds);
  const sqlite = median((samples['SQLite'] ?? []).map(({ perSecond }) => perSecond));
  for (const [name, taken] of Object.entries(samples)) {
    const latencies = taken.flatMap((sample) => sample.latencies);
    const figure = (what: string, value: number, unit: string): Figure => ({
      name: what,
      value,
      against: 'key releases per second on SQLite',
      reference: sqlite,
      unit,
    });
    printFigures(`Key releases, ${name}, ${concurrency} at a time`, [
      figure('per second', median(taken.map(({ perSecond }) => perSecond)), '/s'),
    ]);
    process.stdout.write(
      `  latency: median ${median(latencies).toFixed(1)} ms, p99 ${percentile(latencies, 0.99).toFixed(1)} ms of ${latencies.length}\n`,
    );
  }
  for (const broker of Object.values(places).flat()) await broker.kill();
}

async function measureAudit(): Promise<void> {
  const refused = { operation: 'key-release', code: 'BROKER_NONCE_UNKNOWN' } as const;
  const path = freshPath(directory, 'audit');
  const log: AuditLog = await openAuditLog({ path, now: () => new Date() });
  const raw = await open(freshPath(directory, 'raw'), 'w');
  const line = Buffer.alloc(330, 0x20);
  let position = 0;
  const perSecond = async (count: number, work: () => Promise<unknown>): Promise<number> =>
    (count * 1000) / (await timed(work));
  const samples = await alternate(
    {
      raw: () =>
        perSecond(entriesPerRound, async () => {
          for (let count = 0; count < entriesPerRound; count += 1) {
            await raw.write(line, 0, line.length, position);
            position += line.length;
            await raw.datasync();
          }
        }),
      single: () =>
        perSecond(entriesPerRound, async () => {
          for (let count = 0; count < entriesPerRound; count += 1) await log.append('refused', refused);
        }),
      together: () =>
        perSecond(entriesPerRound, async () => {
          const turns = Array.from({ length: entriesPerRound / 20 }, async () => {
            for (let count = 0; count < 20; count += 1) await log.append('refused', refused);
          });
          await Promise.all(turns);
        }),
    },
    rounds,
  );
  const reference = median(samples.raw);
  const figure = (name: string, values: readonly number[]): Figure => ({
    name,
    value: median(values),
    against: 'raw write and fdatasync',
    reference,
    unit: '/s',
  });
  printFigures('Audit entries, hash-chained and on disk', [
    figure('one after the other', samples.single),
    figure(`${entriesPerRound / 20} at a time`, samples.together),
  ]);
  await log.close();
  await raw.close();
}

const server = postgresPrograms === undefined ? undefined : await startPostgres();
if (server === undefined) process.stdout.write('No PostgreSQL server is installed: SQLite alone.\n');
try {
  await measureAudit();
  await measureReleases(server);
} finally {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
}
