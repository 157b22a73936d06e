import { join } from 'node:path';
import type { FastnessClient, ReceiptBundle } from '@fastness/client';
import { makePrivateDirectory, writeFileAtomic, writeJson, type Home } from './home.ts';

/** A response and the bodies it was made of. */
export interface Exchange {
  readonly response: Response;
  readonly requestBody: Uint8Array;
  readonly responseBody: Uint8Array;
}

/**
 * Saves the receipt of an answer, which holds digests only. With `keep`, request and response lie beside it in clear, so
 * that `fastness verify` can compare them later.
 */
export async function saveReceipt(
  home: Home,
  client: FastnessClient,
  exchange: Exchange,
  keep = false,
): Promise<{ path: string; bundle: ReceiptBundle }> {
  const bundle = await client.getReceipt(exchange.response);
  await makePrivateDirectory(home.receiptDirectory);
  const base = join(home.receiptDirectory, new Date().toISOString().replaceAll(/[:.]/g, '-'));
  if (keep) {
    await writeFileAtomic(`${base}.request`, exchange.requestBody);
    await writeFileAtomic(`${base}.response`, exchange.responseBody);
  }
  await writeJson(`${base}.receipt.json`, bundle);
  return { path: `${base}.receipt.json`, bundle };
}
