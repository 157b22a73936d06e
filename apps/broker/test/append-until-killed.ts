import { openAuditLog } from '../src/audit/log.ts';

// Appends without end and prints the number of every entry that it was told is on disk. Started and killed by a test.
const [path = ''] = process.argv.slice(2);
const log = await openAuditLog({ path, now: () => new Date() });
const appendForever = async (): Promise<never> => {
  for (;;) {
    const { seq, hash } = await log.append('refused', { operation: 'key-release', code: 'BROKER_NONCE_UNKNOWN' });
    process.stdout.write(`${seq} ${hash}\n`);
  }
};
// Several at a time, so that entries share writes.
await Promise.all(Array.from({ length: 8 }, appendForever));
