import { readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { Module } from '../src/pkcs11/module.ts';
import { hasSoftHsm, makeSoftHsmToken } from './support/tokens.ts';

/** Where the loader has SoftHSM mapped in this process. */
async function mappings(): Promise<readonly string[]> {
  const maps = await readFile('/proc/self/maps', 'utf8');
  return maps.split('\n').filter((line) => line.includes('libsofthsm2'));
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the flag defines
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 4; round += 1) {
    collect();
    await turn();
  }
}

test.skipIf(!hasSoftHsm)('a module stays in memory while its functions may be called', async () => {
  await using token = await makeSoftHsmToken();
  const module = Module.load(token.module, undefined);
  const before = await mappings();
  expect(before).not.toEqual([]);
  await collectGarbage();
  expect(await mappings()).toEqual(before);
  module.call('C_Finalize', 0);
});
