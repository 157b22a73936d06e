// Evidence of a TPM over what the TPM itself takes for a quote: on swtpm, the emulator, so only the ratio says something.
// Run: npm run bench:collect   (Debian: swtpm)
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openTpmCollector } from '@fastness/evidence';
import {
  attestationKeyTemplate,
  createPrimary,
  openSwtpmSocket,
  openTpm,
  quote,
  withObject,
} from '@fastness/evidence/tpm';
import { startSwtpm } from '@fastness/testkit';
import { median } from './support.ts';

const ROUNDS = 7;
const PER_ROUND = 20;
const folder = mkdtempSync(join(tmpdir(), 'fastness-collect-'));
const emulator = await startSwtpm(folder);

/** Milliseconds for one, the median of a round. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let index = 0; index < PER_ROUND; index += 1) {
    const before = performance.now();
    await work();
    took.push(performance.now() - before);
  }
  return median(took);
}

async function bareQuotes(): Promise<number> {
  await using tpm = openTpm({ transport: await openSwtpmSocket(emulator.socketPath) });
  const key = await createPrimary(tpm, { template: attestationKeyTemplate });
  const selection = { bank: 'SHA-256', indexes: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15] } as const;
  return await withObject(tpm, key, () =>
    timed(() => quote(tpm, { key: key.handle, nonce: new Uint8Array(randomBytes(32)), selection })),
  );
}

async function collections(): Promise<number> {
  const collector = await openTpmCollector({ path: emulator.socketPath, eventLogPath: undefined });
  try {
    return await timed(() => collector.collect(new Uint8Array(randomBytes(32))));
  } finally {
    await collector.close();
  }
}

try {
  const rounds: { readonly bare: number; readonly collected: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    // swtpm serves one connection at a time, so one after the other.
    rounds.push({ bare: await bareQuotes(), collected: await collections() });
  }
  const bare = median(rounds.map((round) => round.bare));
  const collected = median(rounds.map((round) => round.collected));
  const ratio = median(rounds.map((round) => round.collected / round.bare));
  process.stdout.write(`quote of the TPM alone            ${bare.toFixed(2)} ms\n`);
  process.stdout.write(`evidence (key, registers, quote)  ${collected.toFixed(2)} ms\n`);
  process.stdout.write(`ratio, median of ${ROUNDS} rounds         ${ratio.toFixed(2)}\n`);
} finally {
  await emulator.kill();
  rmSync(folder, { recursive: true, force: true });
}
