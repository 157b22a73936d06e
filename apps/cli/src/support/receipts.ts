import { join } from 'node:path';
import type { FastnessClient, ReceiptBundle } from '@fastness/client';
import type { ChatAnswer } from './ask.ts';
import { makePrivateDirectory, writeFileAtomic, writeJson, type Home } from './home.ts';

/** Saves the receipt of an answer, with the request's body beside it so that `fastness verify` can compare it later. */
export async function saveReceipt(
  home: Home,
  client: FastnessClient,
  answer: ChatAnswer,
): Promise<{ path: string; bundle: ReceiptBundle }> {
  const bundle = await client.getReceipt(answer.response);
  await makePrivateDirectory(home.receiptDirectory);
  const base = join(home.receiptDirectory, new Date().toISOString().replaceAll(/[:.]/g, '-'));
  await writeFileAtomic(`${base}.request.json`, answer.requestBody);
  await writeJson(`${base}.receipt.json`, bundle);
  return { path: `${base}.receipt.json`, bundle };
}
