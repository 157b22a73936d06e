import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openAuditLog } from '../src/audit/log.ts';
import { runCampaign } from './crash/campaign.ts';
import { compareWithLedger, createLedger, createLogReader } from './crash/ledger.ts';
import { databaseKinds, freshAnchor, freshDatabase, isAvailable } from './databases.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { createWorld } from './world.ts';

// A few dozen kills; `npm run crash -- --kills 1000` does more of the same.
const directory = temporaryDirectory();
const unforeseen = /BROKER_INTERNAL|BROKER_STORE|AUDIT_|status/;

describe.each(databaseKinds.map((kind) => ({ kind })))('a broker on $kind', ({ kind }) => {
  it.skipIf(!isAvailable(kind))(
    'loses nothing that it acknowledged when it is killed, time after time',
    { timeout: 600_000 },
    async () => {
      const world = await createWorld(directory);
      const location = await freshDatabase(directory, kind);
      const result = await runCampaign({
        world,
        location,
        anchor: await freshAnchor(directory, kind),
        brokers: 1,
        kills: 12,
      });
      expect(result.lost).toEqual([]);
      expect(result.kills).toBeGreaterThanOrEqual(12);
      // Every writing path was under way.
      for (const count of [result.leases, result.registered, result.revoked, result.anchor, result.proven]) {
        expect(count).toBeGreaterThan(0);
      }
      expect([...result.refusals.keys()].filter((code) => unforeseen.test(code))).toEqual([]);
    },
  );
});

describe('the comparison itself', () => {
  it('finds each thing that is missing', async () => {
    const location = await freshDatabase(directory, 'sqlite');
    const path = freshPath(directory, 'audit');
    await (await openAuditLog({ path, now: () => new Date() })).close();
    const ledger = createLedger();
    const nonce = (): string => randomBytes(32).toString('base64url');
    ledger.issued.set(nonce(), 0);
    ledger.spent.set(nonce(), 0);
    ledger.leases.set('lease', { renewals: 1 });
    ledger.registered.set('digest', { modelId: 'm', version: 2 });
    ledger.revoked.add('platform');
    ledger.anchor = 1;
    const log = createLogReader(new Map([['default', path]]));
    const before = new Map([['version of n', 1]]);
    const { lost } = await compareWithLedger({
      ledger,
      log,
      location,
      anchor: `sqlite:${freshPath(directory, 'anchor')}`,
      before,
    });
    expect(lost.map((line) => line.replace(/ [^ ]*$/, '')).sort()).toEqual(
      [
        'anchor',
        'audit entry of a renewal',
        'audit entry of release',
        'audit entry of revocation',
        'audit entry of the release',
        'challenge',
        'counter fell: version of',
        'highest version m',
        'lease',
        'release',
        'renewal',
        'revocation',
        'spent challenge',
      ].sort(),
    );
  });
});
