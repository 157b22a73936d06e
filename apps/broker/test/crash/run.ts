import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { DatabaseLocation } from '../../src/index.ts';
import { freshPath } from '../fresh-path.ts';
import { postgresPrograms } from '../postgres-programs.ts';
import { startPostgres, type PostgresServer } from '../postgres.ts';
import { createWorld } from '../world.ts';
import { runCampaign } from './campaign.ts';

// npm run crash -- --kills 1000: kill -9 over every writing path of the broker, half of them on SQLite, half on PostgreSQL,
// there a third with two brokers on one database. `--database sqlite` or `postgres` takes one of them.
const { values } = parseArgs({
  options: { kills: { type: 'string', default: '60' }, database: { type: 'string', default: 'both' } },
});
const kills = Number(values.kills);
if (!Number.isInteger(kills) || kills < 4) throw new RangeError('--kills takes a number from 4 on');
const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
const directory = mkdtempSync(join(tmpdir(), 'fastness-crash-'));
let server: PostgresServer | undefined;
let wrong = 0;
let total = 0;

const sums: string[] = [];

async function campaign(
  name: string,
  { location, anchor }: { location: DatabaseLocation; anchor: string },
  brokers: number,
  count: number,
): Promise<void> {
  const world = await createWorld(directory);
  const started = performance.now();
  const result = await runCampaign({
    world,
    location,
    anchor,
    brokers,
    kills: count,
    onRound(killed, acknowledged, lost) {
      if (killed % 25 === 0) say(`  ${name}: ${killed} kills, ${acknowledged} acknowledged writes, ${lost} lost`);
    },
  });
  const { lost, acknowledged, entries, proven, counters, leases, renewals, registered, revoked } = result;
  total += result.kills;
  wrong += lost.length;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  say(`${name}: ${result.kills} kills in ${seconds} s, ${acknowledged} acknowledged writes, ${lost.length} lost`);
  say(
    `  ${leases} leases, ${renewals} renewals, ${registered} releases, ${revoked} revocations, anchor at ${result.anchor}`,
  );
  say(`  ${entries} audit entries, every chain whole; ${proven} of the logs lead to signed checkpoints`);
  const fell = lost.filter((finding) => finding.startsWith('counter fell:')).length;
  const whole = !lost.some((finding) => finding.startsWith('the log of '));
  sums.push(
    `${name}: ${result.kills} kills, ${acknowledged} acknowledged writes, ${lost.length} lost, ${whole ? 'logs verify' : 'LOGS DO NOT VERIFY'}, ${counters} counters, ${fell} fell`,
  );
  say(`  refused: ${[...result.refusals].map(([code, times]) => `${code} ${times}`).join(', ')}`);
  for (const finding of lost.slice(0, 20)) say(`  LOST ${finding}`);
  for (const error of new Set(result.errors)) say(`  reported: ${error}`);
}

try {
  const share = new Map([
    ['sqlite', 0],
    ['postgres', 1],
    ['both', 0.5],
  ]).get(values.database);
  if (share === undefined) throw new RangeError('--database takes sqlite, postgres or both');
  const onServer = postgresPrograms === undefined ? 0 : Math.floor(kills * share);
  if (onServer === 0 && share > 0) say('No PostgreSQL server is installed (apt-get install postgresql): SQLite only.');
  const onFile = share === 1 ? 0 : kills - onServer;
  if (onFile > 0) {
    const path = freshPath(directory, 'database');
    await campaign('SQLite', { location: { kind: 'sqlite', path }, anchor: `sqlite:${path}.anchor` }, 1, onFile);
  }
  if (onServer > 0) {
    server = await startPostgres();
    const shared = Math.floor(onServer / 3);
    const running = server;
    const place = async (): Promise<Parameters<typeof campaign>[1]> => ({
      anchor: await running.createDatabase(),
      location: {
        kind: 'postgres',
        options: {
          url: await running.createDatabase(),
          maxConnections: 8,
          lockTimeoutMs: 60_000,
          connectTimeoutMs: 60_000,
        },
      },
    });
    await campaign('PostgreSQL', await place(), 1, onServer - shared);
    await campaign('PostgreSQL, two brokers', await place(), 2, shared);
  }
  for (const sum of sums) say(sum);
  say(`${total} kills, ${wrong} acknowledged writes lost`);
  process.exitCode = wrong === 0 ? 0 : 1;
} finally {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
}
