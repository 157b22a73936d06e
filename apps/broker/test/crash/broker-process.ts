import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { TrustAnchors } from '@fastness/attest';
import { openSoftwareKeyStore } from '@fastness/keys';
import { FastnessError } from '@fastness/codec/errors';
import { openAnchor, startBroker, type BrokerPolicy, type DatabaseLocation } from '../../src/index.ts';

// A broker as a process of its own that is there to be killed. Beside serving it advances an anchor without end and prints
// each value once it is told that it is on disk. The parent gives it a clock: time since `base`, after `dawn`.

/** What the parent writes into the file that is the only argument. */
export interface BrokerProcessOptions {
  readonly location: DatabaseLocation;
  /** A database apart from the broker's own, as `freshness.anchor` names it. */
  readonly anchor: string;
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
  process.once('SIGTERM', () => void broker.close().then(() => process.exit(0)));
  say(`log ${broker.logKey}`);
  // Last: whoever reads this may send a signal at once.
  say(`url ${broker.url}`);
  if (options.anchorEveryMs !== undefined) await advanceForever(options.anchorEveryMs);
} catch (error) {
  say(`failed ${describe(error)}`);
  process.exitCode = 1;
}

async function advanceForever(pauseMs: number): Promise<never> {
  const anchor = await openAnchor({ anchor: options.anchor, name: 'crash' });
  for (;;) {
    try {
      const { value } = await anchor.advance(await anchor.read(), randomBytes(32));
      say(`anchor ${value}`);
    } catch (error) {
      // Another broker was first.
      const moved = error instanceof FastnessError && error.code === 'FRESHNESS_ANCHOR_MOVED';
      if (!moved) say(`error ${describe(error)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
