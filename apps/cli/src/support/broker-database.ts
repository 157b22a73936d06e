import { join } from 'node:path';
import type { Command } from 'commander';
import type { BrokerOptions } from '@fastness/broker';
import type { Home } from './home.ts';

/** Options of commands that run a broker: which database it keeps its state in. */
export interface DatabaseOptions {
  readonly database?: string;
  readonly databasePassword?: string;
  readonly databaseCa?: string;
  readonly instance?: string;
}

export function withDatabaseOptions(command: Command): Command {
  return command
    .option(
      '--database <url>',
      "PostgreSQL database to keep the broker's state in, postgresql://USER@HOST/DATABASE without a password (default: a SQLite file in the home)",
    )
    .option('--database-password <file>', 'private file with its password (default: the file that PGPASSFILE names)')
    .option('--database-ca <file>', "PEM file with the authorities of its certificate (default: the system's)")
    .option('--instance <name>', 'name of this broker among those that share its database');
}

/** Where a broker's state is: the options' database, or else the home's `brokerDatabase`, or else a file in the home. */
export function brokerDatabaseOptions(
  home: Home,
  configured: string | undefined,
  options: DatabaseOptions,
): Pick<BrokerOptions, 'databasePath' | 'database' | 'instance'> {
  const url = options.database ?? configured;
  const instance = options.instance === undefined ? {} : { instance: options.instance };
  if (url === undefined) return { databasePath: join(home.brokerDirectory, 'broker.db'), ...instance };
  return {
    database: {
      url,
      ...(options.databasePassword === undefined ? {} : { passwordFile: options.databasePassword }),
      ...(options.databaseCa === undefined ? {} : { tls: { caPath: options.databaseCa } }),
    },
    ...instance,
  };
}
