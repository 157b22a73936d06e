import { generateKeyPairSync, sign, verify, createPrivateKey, createPublicKey } from 'node:crypto';
import { writeSync } from 'node:fs';
import { utf8Decode, utf8Encode } from '@fastness/codec';
import { openFreshState, openTpmAnchor, recordFile, signingSeal, type RecordStore } from '../../src/freshness/index.ts';
import { flushAll, openSwtpmSocket, openTpm, type TpmTransport } from '../../src/tpm/index.ts';

/**
 * A process that counts up in anchored state and kills itself (SIGKILL) at its n-th step, where a step is the sending of a TPM
 * command, its answer, and the beginning and end of a write of the record. It says what it has acknowledged.
 * Arguments: socket, record file, key (DER, hex), step.
 */
const [socketPath = '', recordPath = '', keyHex = '', stepText = '0'] = process.argv.slice(2);
let left = Number(stepText);
const step = (): void => {
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};
const say = (line: string): void => {
  // Synchronous: what was said must have been said when the process dies.
  writeSync(1, `${line}\n`);
};

const raw = await openSwtpmSocket(socketPath);
const transport: TpmTransport = {
  ...raw,
  async exchange(command, timeoutMs) {
    step();
    const answer = await raw.exchange(command, timeoutMs);
    step();
    return answer;
  },
};
const tpm = openTpm({ transport });
await flushAll(openTpm({ transport: raw }));
const file = recordFile(recordPath);
const store: RecordStore = {
  read: () => file.read(),
  async write(record) {
    step();
    await file.write(record);
    step();
  },
};
const privateKey =
  keyHex === ''
    ? generateKeyPairSync('ed25519').privateKey
    : createPrivateKey({ key: Buffer.from(keyHex, 'hex'), format: 'der', type: 'pkcs8' });
const publicKey = createPublicKey(privateKey);
const state = await openFreshState({
  anchor: await openTpmAnchor({ tpm, virtual: true }),
  store,
  seal: signingSeal({
    sign: (message) => Promise.resolve(new Uint8Array(sign(null, message, privateKey))),
    verify: (message, signature) => Promise.resolve(verify(null, message, publicKey, signature)),
  }),
  empty: true,
});
let count = state.content === undefined ? 0 : Number(utf8Decode(state.content));
say(`found ${count} ${state.found}`);
for (let round = 0; round < 3; round += 1) {
  count += 1;
  say(`began ${count}`);
  await state.advance(utf8Encode(`${count}`));
  say(`acknowledged ${count}`);
}
say('end');
await tpm.close();
