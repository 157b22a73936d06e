// The `openai` package, unmodified, against a verified enclave. With `npm start` running in another terminal:
//   npm run --silent example:openai
import { readFile } from 'node:fs/promises';
import OpenAI from 'openai';
import { createClient, parseClientPolicy } from '@fastness/client';

const home = process.env['FASTNESS_HOME'] ?? '.fastness';
const url = process.env['FASTNESS_URL'] ?? 'http://127.0.0.1:7803';

const policy = parseClientPolicy(JSON.parse(await readFile(`${home}/policy/client.json`, 'utf8')));
const client = createClient({
  url,
  policy,
  onEvent: (event) => {
    if (event.type === 'verified')
      process.stderr.write(`verified: ${event.enclave.simulated ? 'SIMULATED' : 'hardware'}\n`);
    if (event.type === 'receipt') process.stderr.write(`receipt over response ${event.bundle.response.digest}\n`);
  },
});
// The host in this address is never contacted: `client.fetch` sends through the channel to the verified enclave only.
const openai = new OpenAI({ apiKey: 'unused', baseURL: 'https://enclave.invalid/v1', fetch: client.fetch });

const stream = await openai.chat.completions.create({
  model: 'triage',
  messages: [{ role: 'user', content: '72F c/o chest pain since this morning. Denies SOB. BP 84/52.' }],
  temperature: 0,
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
process.stdout.write('\n');
