import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

// Imports nothing of the workspace: what runs around all tests resolves packages to what was built, and nothing may be.

const debian = '/usr/lib/postgresql';

/** Where the programs of the newest installed PostgreSQL server are; undefined where there is none. */
export const postgresPrograms: string | undefined = existsSync(debian)
  ? readdirSync(debian)
      .filter((version) => existsSync(join(debian, version, 'bin', 'initdb')))
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(debian, version, 'bin'))[0]
  : undefined;

/** The environment variable by which the processes of one test run find the folder of their server. */
export const serverFolderVariable = 'FASTNESS_TEST_POSTGRES';
