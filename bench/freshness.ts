// Steps of an anchor on swtpm (Debian package swtpm), and what they are made of. An emulator on a disk says nothing about a
// TPM in hardware, which is far slower.
// Run: npm run bench:freshness
import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFreshState, openTpmAnchor, recordFile, signingSeal } from '@fastness/evidence/freshness';
import { getRandom, nvAttributes, nvDefineSpace, nvIncrement, openSwtpmSocket, openTpm } from '@fastness/evidence/tpm';
import { startSwtpm } from '@fastness/testkit';
import { compare, timed } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-bench-'));
const emulator = await startSwtpm(folder);
const tpm = openTpm({ transport: await openSwtpmSocket(emulator.socketPath) });
try {
  const index = 0x0180_0001;
  const { authRead, authWrite, counter, noDictionaryAttack } = nvAttributes;
  await nvDefineSpace(tpm, { index, attributes: authRead | authWrite | noDictionaryAttack | counter, size: 8 });
  const anchor = await openTpmAnchor({ tpm, virtual: true });
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seal = signingSeal({
    sign: (message) => Promise.resolve(new Uint8Array(sign(null, message, privateKey))),
    verify: (message, signature) => Promise.resolve(verify(null, message, publicKey, signature)),
  });
  const state = await openFreshState({ anchor, store: recordFile(join(folder, 'record')), seal, empty: true });
  const content = randomBytes(96);
  const rate = async (count: number, work: () => Promise<unknown>): Promise<number> => {
    const milliseconds = await timed(async () => {
      for (let done = 0; done < count; done += 1) await work();
    });
    return (count / milliseconds) * 1000;
  };
  const rates = await compare(
    {
      'TPM2_GetRandom, the round trip': () => rate(1000, () => getRandom(tpm, 8)),
      'TPM2_NV_Increment alone': () => rate(500, () => nvIncrement(tpm, { index })),
      'one step: record signed and fsynced, history and counter advanced, both certified before and after': () =>
        rate(50, () => state.advance(content)),
    },
    5,
  );
  for (const [name, perSecond] of Object.entries(rates)) process.stdout.write(`${perSecond.toFixed(0)}/s  ${name}\n`);
  await anchor[Symbol.asyncDispose]();
} finally {
  await tpm.close();
  await emulator.kill();
  rmSync(folder, { recursive: true, force: true });
}
