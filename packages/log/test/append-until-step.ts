import { utf8Encode } from '@fastness/codec/bytes';
import { openStore } from './store.ts';

// Appends to a log and prints the size after each acknowledgement, and each signed checkpoint; kills itself with SIGKILL
// in front of disk step number STEP. Started by a test: append-until-step.ts DIRECTORY STEP
const [directory = '', step = ''] = process.argv.slice(2);
let left = Number(step);
const log = await openStore(directory, {
  publishEvery: 150,
  beforeDiskStep: () => {
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  },
});
process.stdout.write(`opened ${log.size}\n`);
for (let round = 0; round < 4; round += 1) {
  const first = log.size;
  const count = [1, 254, 3, 100][round] ?? 1;
  await log.append(Array.from({ length: count }, (_, place) => utf8Encode(`entry ${first + place}`)));
  process.stdout.write(`size ${log.size}\n`);
  const { note } = await log.checkpoint();
  process.stdout.write(`checkpoint ${JSON.stringify(note)}\n`);
}
await log.close();
process.stdout.write('closed\n');
