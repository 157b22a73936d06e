import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hasModels } from '../../enclave/test/models.ts';
import { up } from '../src/commands/up.ts';
import { startChild } from '../src/support/children.ts';
import { homeAt, type Home } from '../src/support/home.ts';
import { createOutput } from '../src/support/output.ts';

let folder: string;
let home: Home;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fastness-interrupts-'));
  home = homeAt(join(folder, 'home'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs `up` and raises the signal as Ctrl-C does, as soon as it tells of `event`; what it told of by then. */
async function interruptedAt(event: string): Promise<unknown[]> {
  const interrupt = new AbortController();
  const told: unknown[] = [];
  const out = (text: string): void => {
    for (const line of text.split('\n').filter((each) => each !== '')) {
      const said = (JSON.parse(line) as { event: unknown }).event;
      if (said !== 'warning') told.push(said);
      if (said === event) interrupt.abort(new FastnessError('CLI_INTERRUPTED'));
    }
  };
  const output = createOutput(true, { out, err: () => undefined, errIsTerminal: false });
  const { signal } = interrupt;
  await expect(up({ home, output, signal }, { anyPort: true })).rejects.toMatchObject({ code: 'CLI_INTERRUPTED' });
  return told;
}

it.skipIf(!hasModels)(
  'stops after the stage it is in, starts nothing more, and goes on from there the next time',
  async () => {
    expect(await interruptedAt('home-created')).toEqual(['home-created']);
    expect(await interruptedAt('model-sealed')).toEqual(['home-found', 'model-sealed']);
    expect(await interruptedAt('release-signed')).toEqual(['home-found', 'release-signed']);
    const last = await interruptedAt('release-approved');
    expect(last).toEqual(['home-found', 'release-found', 'release-approved']);
    expect(await readdir(folder)).toEqual(['home']);
    expect(await readdir(home.modelDirectory)).toHaveLength(1);
  },
);

it('starts no service once it was interrupted', async () => {
  const signal = AbortSignal.abort();
  const started = startChild({ home, name: 'never', args: [], readyMilliseconds: 120_000, signal });
  await expect(started).rejects.toMatchObject({ code: 'CLI_INTERRUPTED' });
  expect(await readdir(home.logDirectory).catch(() => [])).not.toContain('never.log');
});
