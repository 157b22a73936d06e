import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { openSoftwareKeyStore } from '@fastness/keys';
import { startBroker, type BrokerPolicy } from '../src/index.ts';

/*
 * A broker on the state of a test. What an earlier one left undone comes first; then the key is rotated, while
 * `kill-at-write.ts` counts.
 */
const { STATE = '', STORE = '', NOW = '', TOKEN = '', TOKEN_SHA256 = '', KILL_ARMED = '' } = process.env;
const keyStore = await openSoftwareKeyStore({
  path: STORE,
  passphrase: new TextEncoder().encode('a passphrase for tests only'),
});
const broker = await startBroker({
  listen: { host: '127.0.0.1', port: 0 },
  databasePath: `${STATE}.db`,
  auditPath: `${STATE}.log`,
  keyStore,
  signer: { keyStore, keyId: 'broker' },
  policy: JSON.parse(readFileSync(`${STATE}.policy`, 'utf8')) as BrokerPolicy,
  adminTokenSha256: TOKEN_SHA256,
  now: () => new Date(NOW),
  lifecycle: { rotation: [{ keyId: 'kek', everySeconds: 365 * 24 * 3600 }] },
});
const { rotated } = await broker.maintain();
process.stdout.write(`${JSON.stringify({ finished: rotated })}\n`);
writeFileSync(KILL_ARMED, '');
const answer = await fetch(`${broker.url}/v1/admin/wrapping-keys`, {
  method: 'POST',
  headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
  body: JSON.stringify({ change: 'rotate', keyId: 'kek' }),
});
rmSync(KILL_ARMED);
process.stdout.write(`${JSON.stringify({ status: answer.status })}\n`);
await broker.close();
await keyStore[Symbol.asyncDispose]();
