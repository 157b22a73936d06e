import { createReceiptIssuer, receiptDigestOf } from '@fastness/channel';
import { previousHeader } from '@fastness/channel/wire';
import { fromBase64Url, fromHex, toBase64Url, toHex, utf8Encode } from '@fastness/codec/bytes';
import { releaseDigestOf } from '@fastness/model/release';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  createClient,
  parseConversation,
  receiptsOf,
  verifyConversations,
  type ConversationFile,
  type FastnessClient,
  type ReceiptBundle,
} from '../src/index.ts';
import { expectCode } from '../../channel/test/support/errors.ts';
import { forgeEnclave, now, packageOf, policyFor, type ForgedEnclave } from './support/scenario.ts';
import { startServer, type TestServer } from './support/server.ts';

let enclave: ForgedEnclave;
let file: ConversationFile;
let foreign: ReceiptBundle;

const say = { method: 'POST' } as const;
const url = 'https://e/v1/completions';

function clientOf(server: TestServer, from: ForgedEnclave = enclave): FastnessClient {
  return createClient({ url: server.url, policy: policyFor(), anchors: from.anchors, now: () => now });
}

beforeAll(async () => {
  enclave = await forgeEnclave();
  await using server = await startServer({ enclave, answer: ({ path }) => ({ body: utf8Encode(path) }) });
  const client = clientOf(server);
  const conversation = client.conversation();
  const bodies: { request: string; response: string }[] = [];
  for (const request of ['one', 'two', 'three']) {
    // The keys change in between: the chain goes on, signed by others.
    if (request === 'three') await enclave.rotate();
    const response = await conversation.fetch(url, { ...say, body: request });
    bodies.push({ request, response: await response.text() });
    expect(conversation.receipts().at(-1)).toEqual(await conversation.getReceipt(response));
  }
  file = { format: 'fastness/conversation/v1', receipts: [...conversation.receipts()], bodies };
  const other = client.conversation();
  await (await other.fetch(url, { ...say, body: 'elsewhere' })).text();
  const [receipt] = other.receipts();
  if (receipt === undefined) throw new Error('no receipt');
  foreign = receipt;
});

function verify(receipts: readonly ReceiptBundle[], one = true) {
  const given = receipts.map((bundle) => ({ bundle }));
  return verifyConversations({ receipts: given, policy: policyFor(), anchors: enclave.anchors, one, now });
}

/** Receipts one by one; the conversation has three. */
function at(index: number): ReceiptBundle {
  const bundle = file.receipts[index];
  if (bundle === undefined) throw new Error(`no receipt ${index}`);
  return bundle;
}

/** The receipt of `bundle` signed anew by its enclave, with these members changed. */
async function signedAnew(bundle: ReceiptBundle, previous: ReceiptBundle, change: { body?: string; time?: Date }) {
  const { receipt, keyConfigDigest } = enclave.generation;
  const issuer = createReceiptIssuer({
    receiptKey: receipt,
    releaseDigest: await releaseDigestOf(enclave.release.bundle),
    keyConfigDigest,
    evidenceDigest: new Uint8Array(32),
    now: () => change.time ?? now,
  });
  const claims = (await verify([at(0), at(1), bundle]))[0]?.receipts[2]?.claims;
  const digest = change.body ?? bundle.response.digest;
  const signed = await issuer.issue({
    requestDigest: fromHex(bundle.request.digest),
    responseDigest: fromHex(digest),
    previous: await receiptDigestOf(fromBase64Url(previous.receipt)),
    ...(claims === undefined ? {} : { evidenceDigest: claims.evidenceDigest }),
  });
  return { ...bundle, receipt: toBase64Url(signed), response: { ...bundle.response, digest } };
}

describe('a conversation', () => {
  it('is a chain of receipts across keys, which verifies offline with what was said', async () => {
    const given = receiptsOf(parseConversation(JSON.parse(JSON.stringify(file))));
    const [verified, ...more] = await verifyConversations({
      receipts: given,
      policy: policyFor(),
      anchors: enclave.anchors,
      one: true,
    });
    expect(more).toEqual([]);
    expect(verified?.receipts.map(({ compared }) => compared)).toEqual(
      given.map(() => ({ request: true, response: true })),
    );
    const [first, second] = verified?.receipts ?? [];
    expect(first?.claims.previous).toBeUndefined();
    expect(toHex(second?.claims.previous ?? new Uint8Array(0))).toBe(
      toHex(await receiptDigestOf(fromBase64Url(at(0).receipt))),
    );
    expect(verified?.limits.join(' ')).toMatch(/2 keys.*|after the last/);
  });

  it('is told from another one, and each is whole by itself', async () => {
    await expectCode(() => verify([...file.receipts, foreign]), 'CLIENT_CONVERSATION_FOREIGN');
    const found = await verify([foreign, at(2), at(0), at(1)], false);
    expect(found.map(({ receipts }) => receipts.length)).toEqual([1, 3]);
  });

  it('without one of its answers has a gap', async () => {
    await expectCode(() => verify([at(0), at(2)]), 'CLIENT_CONVERSATION_GAP');
    await expectCode(() => verify([at(1), at(2)], false), 'CLIENT_CONVERSATION_GAP');
  });

  it('says when its order was changed or an answer is there twice', async () => {
    await expectCode(() => verify([at(0), at(2), at(1)]), 'CLIENT_CONVERSATION_ORDER');
    await expectCode(() => verify([at(0), at(1), at(1)]), 'CLIENT_CONVERSATION_REPEATED');
  });

  it('cannot have two answers after the same one', async () => {
    const twin = await signedAnew(at(2), at(1), { body: 'ab'.repeat(32) });
    await expectCode(() => verify([...file.receipts, twin], false), 'CLIENT_CONVERSATION_FORK');
  });

  it('does not go back in time, and one key counts upwards', async () => {
    const early = await signedAnew(at(2), at(1), { time: new Date(now.getTime() - 3600_000) });
    await expectCode(() => verify([at(0), at(1), early]), 'CLIENT_CONVERSATION_TIME');
    // Numbered from 1 again, after a receipt of the same key with a higher number.
    const third = at(2);
    const fourth = await signedAnew({ ...third }, third, {});
    await expectCode(() => verify([at(0), at(1), third, fourth]), 'CLIENT_CONVERSATION_TIME');
  });

  it('is refused when what is said to have been said was not', async () => {
    const bodies = [...(file.bodies ?? [])];
    bodies[1] = { request: 'two', response: 'something else' };
    const given = receiptsOf({ ...file, bodies });
    const options = { receipts: given, policy: policyFor(), anchors: enclave.anchors };
    await expectCode(() => verifyConversations(options), 'CLIENT_RECEIPT_RESPONSE');
  });

  it('is refused as a file that does not follow its schema', async () => {
    for (const wrong of [null, {}, { ...file, more: 1 }, { ...file, receipts: [] }, { ...file, bodies: [] }])
      await expectCode(() => Promise.resolve().then(() => parseConversation(wrong)), 'CLIENT_CONVERSATION_FILE');
    await expectCode(() => verify([]), 'CLIENT_CONVERSATION_FILE');
  });
});

describe('the client in a conversation', () => {
  it('sends one request at a time, and goes on after an answer that was given up', async () => {
    const other = await forgeEnclave({ release: packageOf({}) });
    await using server = await startServer({
      enclave: other,
      answer: ({ path }) => ({
        // Never ends by itself.
        body: path.endsWith('slow')
          ? new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) })
          : new Uint8Array(4),
      }),
    });
    const conversation = clientOf(server, other).conversation();
    await (await conversation.fetch(url, { ...say, body: 'first' })).text();
    const slow = await conversation.fetch(`${url}/slow`, { ...say, body: 'second' });
    await expectCode(() => conversation.fetch(url, { ...say, body: 'third' }), 'CLIENT_CONVERSATION_BUSY');
    await slow.body?.cancel();
    await expectCode(() => conversation.getReceipt(slow), 'CLIENT_RECEIPT_INCOMPLETE');
    const next = await conversation.fetch(url, { ...say, body: 'third' });
    await next.text();
    await conversation.getReceipt(next);
    expect(conversation.receipts()).toHaveLength(2);
    const given = conversation.receipts().map((bundle) => ({ bundle }));
    const found = await verifyConversations({
      receipts: given,
      policy: policyFor(),
      anchors: other.anchors,
      one: true,
    });
    expect(found).toHaveLength(1);
  });

  it('refuses a receipt that does not name the one before', async () => {
    const other = await forgeEnclave();
    await using server = await startServer({
      enclave: other,
      answer: () => ({ body: new Uint8Array(4) }),
      // What an enclave would do that knows nothing of conversations.
      hide: previousHeader,
    });
    const conversation = clientOf(server, other).conversation();
    await (await conversation.fetch(url, { ...say, body: 'first' })).text();
    const second = await conversation.fetch(url, { ...say, body: 'second' });
    await expect(second.text()).rejects.toMatchObject({ code: 'CLIENT_RECEIPT_PREVIOUS' });
  });
});
