import { describe } from 'vitest';
import { isAvailable, useDatabase } from '../databases.ts';

describe.skipIf(!isAvailable('postgres'))('on PostgreSQL', async () => {
  useDatabase('postgres');
  await import('../quorum.test.ts');
});
