import { basename } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { openTpmAnchor, type FreshnessAnchor } from '@fastness/evidence/freshness';
import { flushAll, openSwtpmSocket, openTpm, openTpmDevice, type Tpm } from '@fastness/evidence/tpm';
import { readPassphraseFile } from '@fastness/keys';
import { Kysely } from 'kysely';
import { z } from 'zod';
import { parsePostgresUrl } from '../store/location.ts';
import { postgresDialect, refuseUnsafeServer } from '../store/postgres.ts';
import { sqliteDialect } from '../store/sqlite.ts';
import { brokerLogKey } from '../audit/transparency.ts';
import type { AnchorHost } from './broker-freshness.ts';
import { openDatabaseAnchor, type AnchorTables } from './database-anchor.ts';
import { openWitnessedAnchor } from './witnessed-anchor.ts';

const path = z.string().min(1).max(4096);

/** Rollback protection in the broker's configuration. */
export const brokerFreshnessSchema = z.strictObject({
  anchor: z
    .string()
    .regex(/^(?:none|witnesses|(?:tpm:device|tpm:hardware|tpm:swtpm|sqlite|postgresql):.{1,4000})$/)
    .describe(
      "'none'; 'tpm:hardware:/dev/tpmrm0', which states that no host keeps the TPM's memory; 'tpm:device:PATH', which does not; 'tpm:swtpm:SOCKET'; 'sqlite:PATH', a database that is kept and restored apart from the broker's; 'postgresql://USER@HOST/DATABASE', likewise; 'witnesses', a majority of those in `log.witnesses`.",
    ),
  passwordPath: path
    .exactOptional()
    .describe(
      'A file with the password of the TPM indexes (absent: anybody who may open the TPM may stop the broker), or of the PostgreSQL user (absent: PGPASSFILE).',
    ),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
    .exactOptional()
    .describe(
      "The row of an anchor in a database, or the end of the name that witnesses know; one for each broker. Absent: 'broker'.",
    ),
  ownerPasswordPath: path.exactOptional().describe("A file with the password of the TPM's owner. Absent: it is empty."),
  epochSeconds: z
    .number()
    .min(0.1)
    .max(3600)
    .exactOptional()
    .describe('For how long key releases and leases may go without being anchored. Absent: 60.'),
});
export type BrokerFreshnessConfig = z.output<typeof brokerFreshnessSchema>;

/** A configuration with absolute paths. */
export function freshnessAt(
  { anchor, passwordPath, ownerPasswordPath, ...rest }: BrokerFreshnessConfig,
  at: (relative: string) => string,
): BrokerFreshnessConfig {
  return {
    ...rest,
    anchor: anchor.replace(
      /^(tpm:[a-z]+|sqlite):(.+)$/s,
      (_all, kind: string, place: string) => `${kind}:${at(place)}`,
    ),
    ...(passwordPath === undefined ? {} : { passwordPath: at(passwordPath) }),
    ...(ownerPasswordPath === undefined ? {} : { ownerPasswordPath: at(ownerPasswordPath) }),
  };
}

/**
 * Opens the anchor that a configuration names; `none` names none. Closing it closes its device or database. Only a broker can
 * open `witnesses`: `host` is what it gives.
 * Throws FRESHNESS_CONFIG, TPM_DEVICE_ codes.
 */
export async function openAnchor(config: BrokerFreshnessConfig, host?: AnchorHost): Promise<FreshnessAnchor> {
  if (config.anchor === 'witnesses') return await witnessedAnchor(config, host);
  const [, kind, place] = /^(tpm:[a-z]+|sqlite|postgresql):(.+)$/s.exec(config.anchor) ?? [];
  if (place === undefined) throw new FastnessError('FRESHNESS_CONFIG', config.anchor);
  const { name = 'broker' } = config;
  if (kind === 'sqlite') {
    const db = new Kysely<AnchorTables>({ dialect: sqliteDialect(place) });
    return await databaseAnchor(db, name, basename(place));
  }
  if (kind === 'postgresql') {
    const { passwordPath: passwordFile } = config;
    const options = { url: config.anchor, maxConnections: 2, ...(passwordFile === undefined ? {} : { passwordFile }) };
    const db = new Kysely<AnchorTables>({ dialect: await postgresDialect(options) });
    const { host, database } = parsePostgresUrl(config.anchor);
    return await databaseAnchor(db, name, `database ${database} at ${host}`, () => refuseUnsafeServer(db));
  }
  if (kind === 'tpm:swtpm') {
    const tpm = openTpm({ transport: await openSwtpmSocket(place) });
    // Nobody manages its few slots, and a broker that was killed left something in them.
    await flushAll(tpm);
    return await tpmAnchor(tpm, config, true);
  }
  if (kind === 'tpm:device' || kind === 'tpm:hardware') {
    return await tpmAnchor(openTpm({ transport: await openTpmDevice(place) }), config, kind === 'tpm:device');
  }
  throw new FastnessError('FRESHNESS_CONFIG', config.anchor);
}

async function witnessedAnchor(
  { name = 'broker' }: BrokerFreshnessConfig,
  host?: AnchorHost,
): Promise<FreshnessAnchor> {
  if (host?.witnesses === undefined) {
    throw new FastnessError('FRESHNESS_CONFIG', 'Witnesses are asked by a broker, and named in its log.witnesses.');
  }
  const { auditPath, signer, witnesses, report } = host;
  return await openWitnessedAnchor({
    directory: `${auditPath}.anchor-${name}`,
    key: await brokerLogKey(signer.publicKey, `fastness-broker-state/${signer.keyId.slice(0, 32)}/${name}`),
    sign: (message) => signer.sign(message),
    witnesses,
    report,
  });
}

async function databaseAnchor(
  db: Kysely<AnchorTables>,
  name: string,
  where: string,
  check: () => Promise<void> = () => Promise.resolve(),
): Promise<FreshnessAnchor> {
  try {
    await check();
    return await openDatabaseAnchor({ db, name, where });
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

async function tpmAnchor(tpm: Tpm, config: BrokerFreshnessConfig, virtual: boolean): Promise<FreshnessAnchor> {
  const { passwordPath, ownerPasswordPath } = config;
  const password = passwordPath === undefined ? undefined : await readPassphraseFile(passwordPath);
  const ownerPassword = ownerPasswordPath === undefined ? undefined : await readPassphraseFile(ownerPasswordPath);
  try {
    const anchor = await openTpmAnchor({
      tpm,
      virtual,
      ...(password === undefined ? {} : { password }),
      ...(ownerPassword === undefined ? {} : { ownerPassword }),
    });
    return {
      ...anchor,
      async [Symbol.asyncDispose]() {
        await anchor[Symbol.asyncDispose]();
        await tpm.close();
        password?.fill(0);
        ownerPassword?.fill(0);
      },
    };
  } catch (error) {
    await tpm.close();
    throw error;
  }
}
