import { readFileSync } from 'node:fs';
import type { TrustAnchors } from '@fastness/attest';
import { openSoftwareKeyStore } from '@fastness/keys';
import { FastnessError } from '@fastness/codec/errors';
import {
  advanceAnchor,
  openStore,
  readAnchor,
  startBroker,
  type BrokerPolicy,
  type DatabaseLocation,
} from '../../src/index.ts';

// A broker as a process of its own that is there to be killed. Beside serving it advances an anchor without end and prints
// each value once it is told that it is on disk. The parent gives it a clock: time since `base`, after `dawn`.

/** What the parent writes into the file that is the only argument. */
export interface BrokerProcessOptions {
  readonly location: DatabaseLocation;
  /** Where the anchor is: on SQLite a file of its own, for two connections of one process would wait for each other. */
  readonly anchorLocation: DatabaseLocation;
  readonly instance: string;
  readonly auditPath: string;
  readonly keyStorePath: string;
  readonly passphrase: string;
  readonly policy: BrokerPolicy;
  readonly anchors: TrustAnchors;
  readonly adminTokenSha256: string;
  readonly dawn: number;
  readonly base: number;
  /** Pause between two steps of the anchor; absent: the anchor stays. */
  readonly anchorEveryMs?: number;
}

const many = { perSecond: 1_000_000, burst: 1_000_000 };
const everything = { perAddress: many, global: many };

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the parent, of this very version
const options = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as BrokerProcessOptions;
const { location, instance, auditPath, keyStorePath, policy, anchors, adminTokenSha256, dawn, base } = options;
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const describe = (error: unknown): string =>
  error instanceof FastnessError ? `${error.code} ${error.message} ${String(error.cause)}` : String(error);

try {
  const keyStore = await openSoftwareKeyStore({
    path: keyStorePath,
    passphrase: new TextEncoder().encode(options.passphrase),
  });
  const broker = await startBroker({
    listen: { host: '127.0.0.1', port: 0 },
    ...(location.kind === 'sqlite' ? { databasePath: location.path } : { database: location.options }),
    instance,
    auditPath,
    keyStore,
    signer: { keyStore, keyId: 'broker' },
    policy,
    anchors,
    adminTokenSha256,
    now: () => new Date(dawn + Date.now() - base),
    limits: {
      auditNoise: many,
      maxChallenges: 1_000_000,
      rates: {
        challenge: everything,
        leaseHolderChallenge: everything,
        keyRelease: everything,
        renewal: { perLease: many, global: many },
        admin: everything,
        adminFailure: everything,
        other: everything,
      },
    },
    report: (error) => {
      say(`error ${describe(error)}`);
    },
  });
  say(`url ${broker.url}`);
  process.once('SIGTERM', () => void broker.close().then(() => process.exit(0)));
  if (options.anchorEveryMs !== undefined) await advanceForever(options.anchorEveryMs);
} catch (error) {
  say(`failed ${describe(error)}`);
  process.exitCode = 1;
}

async function advanceForever(pauseMs: number): Promise<never> {
  const db = await openStore(options.anchorLocation);
  for (;;) {
    try {
      const from = await readAnchor(db, 'crash');
      await advanceAnchor(db, { name: 'crash', from, to: from + 1 });
      say(`anchor ${from + 1}`);
    } catch (error) {
      // Another broker was first.
      if (!(error instanceof FastnessError) || error.code !== 'BROKER_ANCHOR_MOVED') say(`error ${describe(error)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
