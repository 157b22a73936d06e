import type { FastnessClient } from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import type { Manifest } from '@fastness/model';
import { askOnce } from '../commands/chat.ts';
import { saveReceipt } from './receipts.ts';
import type { Context } from './run.ts';

const note = '72F c/o chest pain since this morning. Denies SOB. BP 84/52.';
const paths = Object.freeze({ classify: '/v1/classifications', embed: '/v1/embeddings' });

/** One request that the sealed model can answer, whatever its task, with its verified receipt. */
export async function demonstrate(context: Context, client: FastnessClient, manifest: Manifest): Promise<void> {
  const { modelId, task } = manifest;
  if (task === 'generate') return askOnce(context, client, note);
  const requestBody = new TextEncoder().encode(JSON.stringify({ model: modelId, input: note }));
  const response = await client.fetch(`https://enclave.invalid${paths[task]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: requestBody,
    signal: context.signal,
  });
  const responseBody = new Uint8Array(await response.arrayBuffer());
  const text = new TextDecoder().decode(responseBody).trim();
  if (!response.ok) throw new FastnessError('CLI_REQUEST_REFUSED', `${response.status}: ${text.slice(0, 300)}`);
  const shown = text.length > 300 ? `${text.slice(0, 300)}…` : text;
  context.output.text(`\n  > ${note}\n  < ${shown}\n\n`);
  const saved = await saveReceipt(context.home, client, { response, requestBody, responseBody });
  context.output.step('answered', `Answer and receipt verified: ${saved.path}`, { text, receipt: saved.path });
}
