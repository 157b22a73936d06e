import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openAuditLog } from '../src/audit/log.ts';
import { verifyAuditLog } from '../src/index.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';

const directory = temporaryDirectory();
const program = fileURLToPath(new URL('append-until-killed.ts', import.meta.url));

it('keeps every acknowledged entry through kill -9, time after time', async () => {
  const path = freshPath(directory, 'audit');
  let last = { seq: 0, hash: '' };
  for (let round = 0; round < 6; round += 1) {
    const child = spawn(process.execPath, ['--conditions=source', program, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const exited = once(child, 'close');
    // In the middle of its appends, each round a little later.
    while (output.split('\n').length < 20 + 7 * round) await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await exited;
    // The last line may be cut off in the pipe.
    const acknowledged = output
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '));
    for (const [seq, hash = ''] of acknowledged) if (Number(seq) > last.seq) last = { seq: Number(seq), hash };
    await using log = await openAuditLog({ path, now: () => new Date(), knownHead: last });
    expect(log.head.seq).toBeGreaterThanOrEqual(last.seq);
  }
  expect(last.seq).toBeGreaterThan(100);
  expect(await verifyAuditLog(path, last)).toMatchObject({ tornBytes: 0 });
});
