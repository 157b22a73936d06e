// Raises the marks of one subject from several processes at once: `raise-marks.ts DIRECTORY OFFSET COUNT`.
import { openEndorsementCache } from '../../src/endorsements/index.ts';

const [directory = '', offset = '0', count = '1'] = process.argv.slice(2);
const { marks } = await openEndorsementCache({ directory });
const issued = new Date('2026-06-01T12:00:00Z');
for (let step = 1; step <= Number(count); step += 1) {
  await marks.raise('shared', { issued, number: BigInt(step * 3 + Number(offset)) });
}
