import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  hardwareOf,
  parseConversation,
  receiptsOf,
  verifyConversations,
  type VerifiedConversation,
  type VerifiedReceipt,
} from '@fastness/client';
import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { z } from 'zod';
import { loadAnchors, warnOfAnchors } from '../support/attest/anchors-file.ts';
import { readClientPolicy } from '../support/client.ts';
import { action } from '../support/command.ts';
import { shortHex } from '../support/format.ts';
import { readText } from '../support/home.ts';
import type { Output } from '../support/output.ts';
import { simulatedBanner } from '../support/simulated.ts';

interface VerifyOptions {
  readonly policy?: string;
  readonly request?: string;
  readonly response?: string;
  readonly one?: boolean;
  readonly anchors?: string;
}

type Given = Parameters<typeof verifyConversations>[0]['receipts'][number];

export function receiptCommand(): Command {
  return new Command('receipt')
    .description('what answers left behind: verify receipts and saved conversations')
    .addCommand(verifyCommand());
}

function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'verify offline what a receipt, a saved conversation or a folder of receipts proves: evidence, key, release, digests, and that no answer in between is missing, moved or foreign',
    )
    .argument('<path>', 'a .receipt.json file, a conversation file, or a folder of receipts')
    .option('--policy <file>', "what is accepted (default: the home's policy/client.json)")
    .option('--request <file>', "for one receipt: the request's body, to compare its digest")
    .option('--response <file>', "for one receipt: the response's body, to compare its digest")
    .option('--one', 'for a folder: its receipts must be one conversation')
    .option('--anchors <file>', "roots that count instead of the vendors' (for tests and private roots); reported")
    .action(
      action<VerifyOptions>(async ({ home, output }, options, [path = '']) => {
        const policy = await readClientPolicy(home, options);
        const { receipts, ordered } = await receiptsAt(path, options);
        const anchors = await loadAnchors(options.anchors);
        const found = await verifyConversations({ receipts, policy, one: ordered, now: new Date(), anchors });
        if (options.one === true && found.length > 1) {
          throw new FastnessError('CLIENT_CONVERSATION_FOREIGN', `${found.length} conversations.`);
        }
        for (const conversation of found) print(output, conversation);
        warnOfAnchors(output, options.anchors);
        const answers = found.reduce((sum, { receipts: { length } }) => sum + length, 0);
        output.result({ conversations: found.length, receipts: answers }, [
          `${answers} ${answers === 1 ? 'receipt' : 'receipts'} in ${found.length} ${found.length === 1 ? 'conversation' : 'conversations'}, all verified.`,
        ]);
      }),
    );
}

/** The receipts at `path`, and whether their order there counts. */
async function receiptsAt(path: string, options: VerifyOptions): Promise<{ receipts: Given[]; ordered: boolean }> {
  const folder = await stat(path).then(
    (found) => found.isDirectory(),
    (cause: unknown) => {
      throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
    },
  );
  const alone = { request: options.request, response: options.response };
  if (!folder) {
    const document = parse(path, await readText(path));
    const { data } = z.looseObject({ format: z.literal('fastness/conversation/v1') }).safeParse(document);
    const compares = alone.request !== undefined || alone.response !== undefined;
    if (data !== undefined && compares) throw new FastnessError('CLI_USAGE', 'A conversation holds its own bodies.');
    if (data !== undefined) return { receipts: receiptsOf(parseConversation(data)), ordered: true };
    return { receipts: [{ bundle: document, ...(await bodies(alone)) }], ordered: false };
  }
  if (alone.request !== undefined || alone.response !== undefined)
    throw new FastnessError(
      'CLI_USAGE',
      '--request and --response are for one receipt; in a folder they lie beside it.',
    );
  const names = await readdir(path);
  const present = new Set(names);
  const receipts: Given[] = [];
  for (const name of names.filter((each) => each.endsWith('.receipt.json')).sort()) {
    const beside = (kind: 'request' | 'response'): string | undefined => {
      const file = name.replace(/receipt\.json$/, kind);
      return present.has(file) ? join(path, file) : undefined;
    };
    const document = parse(name, await readText(join(path, name)));
    receipts.push({
      bundle: document,
      ...(await bodies({ request: beside('request'), response: beside('response') })),
    });
  }
  if (receipts.length === 0) throw new FastnessError('CLI_NOT_RECOGNISED', `${path} holds no .receipt.json file.`);
  return { receipts, ordered: false };
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', `${name} is not a receipt.`, { cause });
  }
}

async function bodies(files: {
  request: string | undefined;
  response: string | undefined;
}): Promise<Omit<Given, 'bundle'>> {
  const read = async (file: string): Promise<Uint8Array> =>
    readFile(file).catch((cause: unknown) => {
      throw new FastnessError('CLI_FILE_UNREADABLE', file, { cause });
    });
  return {
    ...(files.request === undefined ? {} : { request: await read(files.request) }),
    ...(files.response === undefined ? {} : { response: await read(files.response) }),
  };
}

function print(output: Output, { receipts, limits }: VerifiedConversation): void {
  for (const receipt of receipts) printReceipt(output, receipt);
  const [first] = receipts;
  const last = receipts.at(-1);
  output.step(
    'conversation-verified',
    receipts.length === 1 ? 'A single answer' : `A conversation of ${receipts.length} answers, none missing in between`,
    {
      receipts: receipts.length,
      from: first?.judgedAt.toISOString(),
      to: last?.judgedAt.toISOString(),
      simulated: receipts.some(({ enclave }) => enclave.simulated),
      limits,
    },
  );
  for (const limit of limits) output.detail(limit);
  if (receipts.some(({ enclave }) => enclave.simulated)) output.warn(simulatedBanner);
}

function printReceipt(output: Output, { claims, bundle, enclave, judgedAt, compared }: VerifiedReceipt): void {
  const { release, approvedBy } = enclave.release;
  const { method, path } = bundle.request;
  output.step(
    'receipt-verified',
    `${judgedAt.toISOString()} ${method} ${path}: ${release.modelId} v${release.version} on ${hardwareOf(enclave.claims)}`,
    {
      judgedAt: judgedAt.toISOString(),
      requestDigest: bundle.request.digest,
      responseDigest: bundle.response.digest,
      releaseDigest: toHex(claims.releaseDigest),
      evidenceDigest: toHex(claims.evidenceDigest),
      ...(claims.previous === undefined ? {} : { previous: toHex(claims.previous) }),
      sequence: claims.sequence,
      approvedBy,
      simulated: enclave.simulated,
      compared,
    },
  );
  const said = (what: 'request' | 'response'): string => (compared[what] ? 'compared' : 'not given');
  output.detail(
    `request ${shortHex(bundle.request.digest)} ${said('request')}; response ${shortHex(bundle.response.digest)} ${said('response')}`,
  );
}
