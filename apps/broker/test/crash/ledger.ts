import { open, readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { fromBase64Url, utf8Decode } from '@fastness/codec/bytes';
import { parseVerifierKey, readCheckpoint, verifyEntries } from '@fastness/log';
import { directoryLog, nodeHasher } from '@fastness/log/node';
import { auditGenesis, type AuditEntry } from '../../src/audit/entry.ts';
import { readAuditEntries, type AuditPosition } from '../../src/audit/scan.ts';
import { openAnchor } from '../../src/index.ts';
import { openStore, readAuditHead, type DatabaseLocation } from '../../src/store/index.ts';

/** What brokers acknowledged to their clients, and so must never lose. */
export interface Ledger {
  /** Nonces that were issued and not answered by anybody. */
  readonly issued: Map<string, number>;
  readonly spent: Map<string, number>;
  /** Leases, with the model they are of and how many renewals were granted. */
  readonly leases: Map<string, { renewals: number }>;
  readonly registered: Map<string, { modelId: string; version: number }>;
  readonly revoked: Set<string>;
  anchor: number;
  anchorSteps: number;
  /** Everything else that was acknowledged, counted. */
  acknowledged: number;
}

export function createLedger(): Ledger {
  const [issued, spent, leases, registered] = [new Map(), new Map(), new Map(), new Map()];
  return { issued, spent, leases, registered, revoked: new Set(), anchor: 0, anchorSteps: 0, acknowledged: 0 };
}

/** What the logs of all brokers of a database say, read on from where they were read to before. */
export interface LogReader {
  /** Reads what is new. Throws `AUDIT_CHAIN_BROKEN`. */
  read(): Promise<void>;
  readonly released: Map<string, number>;
  readonly renewed: Map<string, number>;
  readonly registered: Set<string>;
  readonly revoked: Set<string>;
  readonly heads: Map<string, Map<number, string>>;
  entries: number;
}

export function createLogReader(logs: ReadonlyMap<string, string>): LogReader {
  const positions = new Map<string, AuditPosition>();
  const reader: LogReader = {
    released: new Map(),
    renewed: new Map(),
    registered: new Set(),
    revoked: new Set(),
    heads: new Map(),
    entries: 0,
    async read() {
      for (const [instance, path] of logs) {
        await using file = await open(path, 'r');
        const { size } = await file.stat();
        let position = positions.get(instance) ?? { offset: 0, head: auditGenesis };
        const hashes = reader.heads.get(instance) ?? new Map<number, string>();
        reader.heads.set(instance, hashes);
        for await (const { entry, end } of readAuditEntries(file, position, size)) {
          position = { offset: end, head: { seq: entry.seq, hash: entry.hash } };
          hashes.set(entry.seq, entry.hash);
          reader.entries += 1;
          note(reader, entry);
        }
        positions.set(instance, position);
      }
    },
  };
  return reader;
}

function note(reader: LogReader, { kind, facts }: AuditEntry): void {
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
  if (kind === 'key-released') count(reader.released, String(facts['leaseId']));
  if (kind === 'lease-renewed') count(reader.renewed, String(facts['leaseId']));
  if (kind === 'release-registered') reader.registered.add(String(facts['releaseDigest']));
  if (kind === 'revocation') reader.revoked.add(String(facts['value']));
}

/**
 * Verifies the transparency log of a broker that was stopped: every entry and tile leads to the signed checkpoint, and the
 * entries are the lines of the audit log, all of them. Returns how many. Throws `LOG_...` and an error of its own.
 */
export async function verifyLogOf(broker: { readonly auditPath: string; readonly logKey: string }): Promise<number> {
  const source = { read: directoryLog(`${broker.auditPath}.tlog`), hasher: nodeHasher };
  const checkpoint = await readCheckpoint(source, { logKeys: [await parseVerifierKey(broker.logKey)] });
  const lines = (await readFile(broker.auditPath, 'utf8')).split('\n').slice(0, -1);
  if (lines.length !== checkpoint.size) {
    throw new Error(`the log has ${checkpoint.size} entries, the audit log ${lines.length}`);
  }
  await verifyEntries(source, checkpoint, (index, entry) => {
    if (utf8Decode(entry) !== lines[index]) throw new Error(`entry ${index} of the log is not that of the audit log`);
  });
  return lines.length;
}

/** What a comparison found wrong; empty when nothing was lost and nothing fell. */
export interface Findings {
  readonly lost: string[];
  /** Counters as they are now: for the next comparison. */
  readonly counters: ReadonlyMap<string, number>;
}

/** Compares what was acknowledged with the database and with the logs, while nobody writes them. */
export async function compareWithLedger(options: {
  ledger: Ledger;
  log: LogReader;
  location: DatabaseLocation;
  /** As `freshness.anchor` names it. */
  anchor: string;
  before: ReadonlyMap<string, number>;
}): Promise<Findings> {
  const { ledger, log, location, anchor, before } = options;
  const lost: string[] = [];
  const missing = (what: string, key: string): void => void lost.push(`${what} ${key}`);
  await log.read();
  const db = await openStore(location);
  try {
    const waiting = await namesOf(db.selectFrom('challenges').select('nonce_digest as name'));
    const spent = await namesOf(db.selectFrom('spent_challenges').select('nonce_digest as name'));
    for (const nonce of ledger.issued.keys()) {
      const digest = digestOf(nonce);
      if (!waiting.has(digest) && !spent.has(digest)) missing('challenge', digest);
    }
    for (const nonce of ledger.spent.keys()) {
      if (!spent.has(digestOf(nonce))) missing('spent challenge', digestOf(nonce));
      if (waiting.has(digestOf(nonce))) missing('consumption of challenge', digestOf(nonce));
    }
    const leases = await db.selectFrom('leases').select(['lease_id', 'renewals']).execute();
    const renewals = new Map(leases.map((lease) => [lease.lease_id, lease.renewals]));
    for (const [leaseId, acknowledged] of ledger.leases) {
      const recorded = renewals.get(leaseId);
      if (recorded === undefined) missing('lease', leaseId);
      if ((recorded ?? 0) < acknowledged.renewals) missing('renewal', leaseId);
      if (log.released.get(leaseId) !== 1) missing('audit entry of the release', leaseId);
      const entries = log.renewed.get(leaseId) ?? 0;
      if (entries < acknowledged.renewals) missing('audit entry of a renewal', leaseId);
      if ((recorded ?? 0) > entries) missing('audit entry of an increment', leaseId);
    }
    const releases = await namesOf(db.selectFrom('releases').select('release_digest as name'));
    const counters = new Map<string, number>([['anchor', await anchorOf(anchor)]]);
    for (const { model_id, highest_version } of await db.selectFrom('model_versions').selectAll().execute()) {
      counters.set(`version of ${model_id}`, highest_version);
    }
    for (const [digest, { modelId, version }] of ledger.registered) {
      if (!releases.has(digest)) missing('release', digest);
      if (!log.registered.has(digest)) missing('audit entry of release', digest);
      if ((counters.get(`version of ${modelId}`) ?? 0) < version) missing('highest version', `${modelId} ${version}`);
    }
    const revoked = await namesOf(db.selectFrom('revocations').select('value as name'));
    for (const value of ledger.revoked) {
      if (!revoked.has(value)) missing('revocation', value);
      if (!log.revoked.has(value)) missing('audit entry of revocation', value);
    }
    if ((counters.get('anchor') ?? 0) < ledger.anchor) missing('anchor', String(ledger.anchor));
    for (const [name, value] of before) if ((counters.get(name) ?? 0) < value) missing('counter fell:', name);
    for (const [instance, hashes] of log.heads) {
      const head = await readAuditHead(db, instance);
      if (head !== undefined && hashes.get(head.seq) !== head.hash) missing('audit entry of the head of', instance);
    }
    return { lost, counters };
  } finally {
    await db.destroy();
  }
}

/** The value of the anchor; 0 where there is none. */
async function anchorOf(where: string): Promise<number> {
  await using anchor = await openAnchor({ anchor: where, name: 'crash' });
  return (await anchor.identity()) === undefined ? 0 : Number((await anchor.read()).value);
}

/** Nonces are remembered for a while only, and so is what the ledger knows of them. */
export function forgetNonces(ledger: Ledger, olderThanMs: number): void {
  for (const nonces of [ledger.issued, ledger.spent]) {
    for (const [nonce, at] of nonces) if (at < performance.now() - olderThanMs) nonces.delete(nonce);
  }
}

async function namesOf(query: { execute(): Promise<readonly { name: string }[]> }): Promise<Set<string>> {
  return new Set((await query.execute()).map(({ name }) => name));
}

function digestOf(nonce: string): string {
  return createHash('sha256').update('fastness/broker-nonce/v1\n').update(fromBase64Url(nonce)).digest('hex');
}
