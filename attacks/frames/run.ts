// 10,000 damaged messages: half of them requests to an enclave that runs, half of them responses of it to its client. All must be
// refused for a stated reason, the enclave must go on, and its memory must stay. Run: npm run attack:frames [-- messages]
import { request as httpRequest } from 'node:http';
import { Readable } from 'node:stream';
import { mediaTypes } from '@fastness/channel/wire';
import { isErrorCode } from '@fastness/codec/errors';
import { enclaveBelow, factsOf } from '../../bench/enclave-process.ts';
import { clientOf } from '../support/client.ts';
import { createWorld, startStack } from '../support/world.ts';
import { randomFrom } from '../traffic/scores.ts';
import { codeOf, damageRequests, damageResponses, type Outcome, type Receiver } from './campaign.ts';

const count = Number(process.argv[2] ?? 10_000);
const world = await createWorld();
const print = (text: string): void => void process.stdout.write(`${text}\n`);
let failed = false;

try {
  const { enclave } = await startStack(world);
  const listening = enclave.cli.events.find((event) => event['event'] === 'listening');
  const pid = enclaveBelow(Number(listening?.['pid']));
  const { keyConfig } = await (await clientOf(world, { url: enclave.url })).verify();
  /** A connection for each: one that the enclave just ended must not be taken for a refusal of the next message. */
  const post = (bytes: Uint8Array<ArrayBuffer>): Promise<Response | undefined> =>
    new Promise((resolve) => {
      const request = httpRequest(`${enclave.url}/ohttp`, {
        method: 'POST',
        agent: false,
        headers: { 'content-type': mediaTypes.chunkedRequest, 'content-length': bytes.length },
      });
      request.once('response', (response) => {
        const body = Readable.toWeb(response) as ReadableStream<Uint8Array<ArrayBuffer>>;
        resolve(new Response(body, { status: response.statusCode ?? 500 }));
      });
      // Cut off in the middle of sending, before the answer could be read.
      request.once('error', () => resolve(undefined));
      request.end(bytes);
    });
  const receiver: Receiver = {
    keyConfig,
    deliver: async (bytes, sealed) => {
      const response = await post(bytes);
      if (response === undefined) return 'cut off';
      if (!response.ok || response.body === null) {
        const { code } = (await response.json()) as { code?: string };
        if (!isErrorCode(code)) throw new Error(`No stated reason: ${response.status}.`);
        return code;
      }
      // What goes wrong after the first chunk is told inside the channel, or cuts the answer.
      try {
        const opened = await sealed.openResponse(response.body);
        const text = await new Response(opened.body).text();
        return opened.status >= 400 ? /"code":\s*"(\w+)"/u.exec(text)?.[1] : undefined;
      } catch (error) {
        return codeOf(error);
      }
    },
    answer: async (bytes) => {
      const response = await post(bytes);
      if (response === undefined) throw new Error('A good request was cut off.');
      return new Uint8Array(await response.arrayBuffer());
    },
  };
  const report = (what: string, { codes, accepted }: Outcome): void => {
    print(
      `${what}: ${accepted.length} accepted${accepted.length > 0 ? ` (${[...new Set(accepted)].join(', ')})` : ''}`,
    );
    for (const [code, times] of Object.entries(codes)) print(`  ${code.padEnd(30)} ${times}`);
    failed ||= accepted.length > 0;
  };
  // The first messages fill caches and compile code; what stays flat is what comes after.
  await damageRequests(receiver, Math.ceil(count / 5), randomFrom(1));
  const before = factsOf(pid);
  report('Requests', await damageRequests(receiver, Math.ceil(count / 2), randomFrom(2)));
  report('Responses', await damageResponses(receiver, Math.ceil(count / 2), randomFrom(3)));
  const after = factsOf(pid);
  const health = await fetch(`${enclave.url}/health`);
  print(
    `The enclave ${health.ok ? 'serves' : 'does not serve'}; resident ${before.residentMiB.toFixed(1)} MiB before, ${after.residentMiB.toFixed(1)} MiB after; handles ${before.handles} and ${after.handles}.`,
  );
  failed ||= !health.ok;
} finally {
  await world.dispose();
}
process.exit(failed ? 1 : 0);
