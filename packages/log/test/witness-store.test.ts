import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openWitnessStore } from '../node/index.ts';
import { testKey } from './keys.ts';
import { memoryLog, signedBy } from './memory-log.ts';
import { entriesOf } from './oracle.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-witness-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
const log = await testKey('log.example');
const headOf = async (size: number) => {
  const { head } = memoryLog(entriesOf(size));
  return { ...head, note: await signedBy(log, head) };
};

it('keeps the newest checkpoint of each log, for one process at a time', async () => {
  const directory = join(folder, 'kept');
  {
    await using store = await openWitnessStore({ directory });
    expect(await store.read('log.example')).toBeUndefined();
    await store.write('log.example', await headOf(3));
    await store.write('log.example', await headOf(5));
    await expect(openWitnessStore({ directory })).rejects.toMatchObject({ code: 'LOG_LOCKED' });
  }
  await using again = await openWitnessStore({ directory });
  expect(await again.read('log.example')).toMatchObject({ size: 5 });
  expect(await again.read('other.example')).toBeUndefined();
});

it('has the old state or the new one, whatever step it ends at', async () => {
  for (let step = 1; ; step += 1) {
    const directory = join(folder, `step-${step}`);
    {
      await using store = await openWitnessStore({ directory });
      await store.write('log.example', await headOf(3));
    }
    let left = step;
    let written = false;
    {
      const beforeDiskStep = (): void => {
        left -= 1;
        if (left <= 0) throw new Error('ended');
      };
      const store = await openWitnessStore({ directory, beforeDiskStep }).catch(() => undefined);
      written = await (store?.write('log.example', await headOf(5)) ?? Promise.reject(new Error('closed'))).then(
        () => true,
        () => false,
      );
      await store?.[Symbol.asyncDispose]();
    }
    await using after = await openWitnessStore({ directory });
    const { size } = (await after.read('log.example')) ?? { size: 0 };
    expect(written ? [5] : [3, 5]).toContain(size);
    if (written) break;
  }
});

it('does not begin anew over a damaged state', async () => {
  const directory = join(folder, 'damaged');
  await using store = await openWitnessStore({ directory });
  await store.write('log.example', await headOf(3));
  const name = readdirSync(directory).find((file) => file.endsWith('.checkpoint')) ?? '';
  for (const text of ['', 'nothing', (await headOf(3)).note.replace('log.example', 'other.example')]) {
    writeFileSync(join(directory, name), text);
    await expect(store.read('log.example')).rejects.toMatchObject({ code: 'LOG_WITNESS_STATE' });
  }
});
