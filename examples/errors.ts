// A verified `fetch`, and what to do when it fails. With `npm start` running in another terminal:
//   npm run --silent example:errors
import { readFile } from 'node:fs/promises';
import { actionFor, createClient, fastnessErrorIn, parseClientPolicy } from '@fastness/client';

const home = process.env['FASTNESS_HOME'] ?? '.fastness';
const url = process.env['FASTNESS_URL'] ?? 'http://127.0.0.1:7803';
const policy = parseClientPolicy(JSON.parse(await readFile(`${home}/policy/client.json`, 'utf8')));

async function ask(client: ReturnType<typeof createClient>): Promise<string> {
  const messages = [{ role: 'user', content: '72F c/o chest pain since this morning.' }];
  const response = await client.fetch('https://enclave.invalid/v1/chat/completions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'triage', messages }),
  });
  // Fails unless all of the body came and its receipt verified.
  const answer: unknown = await response.json();
  return JSON.stringify(answer);
}

async function report(name: string, client: ReturnType<typeof createClient>): Promise<void> {
  try {
    process.stdout.write(`${name}: ${await ask(client)}\n`);
  } catch (thrown) {
    const error = fastnessErrorIn(thrown);
    if (error === undefined) throw thrown;
    process.stdout.write(`${name}: ${actionFor(error)} (${error.code})\n`);
  }
}

await report('answer', createClient({ url, policy }));
// Another measurement than the one that is running: nothing was sent.
const stranger = structuredClone(policy);
if (stranger.attestation.snp !== undefined)
  Object.assign(stranger.attestation.snp, { measurements: ['00'.repeat(48)] });
await report('another image', createClient({ url, policy: stranger }));
// Nobody there.
await report('no relay', createClient({ url: 'http://127.0.0.1:1', policy }));
