import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { TrustAnchors } from '@fastness/attest';
import { parseReceiptBundle, verifyReceiptBundle, type VerifiedReceipt } from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import { loadAnchors, warnOfAnchors } from '../support/attest/anchors-file.ts';
import { clientForHome, readClientPolicy, type ClientOptions } from '../support/client.ts';
import { action } from '../support/command.ts';
import { completeFor, notRefreshedOf, withSourceOptions, type SourceOptions } from '../support/endorsements.ts';
import { readText } from '../support/home.ts';
import type { Output } from '../support/output.ts';
import type { Context } from '../support/run.ts';
import { printVerifiedEnclave } from '../support/verdict.ts';

interface VerifyOptions extends Omit<ClientOptions, 'anchors'>, SourceOptions {
  readonly request?: string;
  readonly response?: string;
  readonly anchors?: string;
}

export function verifyCommand(): Command {
  return withSourceOptions(new Command('verify'), 'fetch what the enclave does not send, and keep it in this folder')
    .description(
      'verify a running enclave (URL of it or of its relay), or a receipt file, offline; exit code 0 only if everything holds',
    )
    .argument('<url-or-receipt>', 'http(s) address, or a receipt that `fastness chat` saved')
    .option('--policy <file>', "what is accepted (default: the home's policy/client.json)")
    .option(
      '--direct-tls',
      "the address is the enclave's own (https): TLS must end inside it, and no proxy may end it before",
    )
    .option('--anchors <file>', "roots that count instead of the vendors' (for tests and private roots); reported")
    .option('--request <file>', "for a receipt: the request's body, to compare its digest")
    .option('--response <file>', "for a receipt: the response's body, to compare its digest")
    .action(
      action<VerifyOptions>(async (context, options, [target = '']) => {
        const anchors = await loadAnchors(options.anchors);
        if (/^https?:\/\//.test(target)) {
          const client = await clientForHome(context.home, {
            ...options,
            url: target,
            anchors,
            completeEndorsements: async (evidence, endorsements, signal) => {
              const means = { anchors, at: new Date(), signal, prefer: 'fetched' as const };
              const completed = await completeFor(evidence, endorsements, options, means);
              for (const name of notRefreshedOf(completed))
                context.output.warn(`Could not be refreshed, so a copy within its period was used: ${name}`);
              return completed.endorsements;
            },
          });
          printVerifiedEnclave(context.output, await client.verify());
        } else if (target.startsWith('tls://'))
          throw new FastnessError('CLI_USAGE', `fastness tls verify ${target} verifies attested TLS of a service.`);
        else if (existsSync(target)) await verifyReceipt(context, target, options, anchors);
        else
          throw new FastnessError('CLI_USAGE', `${JSON.stringify(target)} is neither an http(s) address nor a file.`);
        warnOfAnchors(context.output, options.anchors);
      }),
    );
}

async function verifyReceipt(
  { home, output }: Context,
  path: string,
  options: VerifyOptions,
  anchors: TrustAnchors,
): Promise<void> {
  const policy = await readClientPolicy(home, options);
  const bundle = parseReceiptBundle(parseReceiptFile(path, await readText(path)));
  const { method, path: requestPath } = bundle.request;
  const verified = await verifyReceiptBundle({
    bundle,
    policy,
    now: new Date(),
    anchors,
    ...(options.request === undefined
      ? {}
      : { request: { method, path: requestPath, body: await readBytes(options.request) } }),
    ...(options.response === undefined
      ? {}
      : { response: { status: bundle.response.status, body: await readBytes(options.response) } }),
  });
  printVerifiedEnclave(output, verified.enclave);
  printReceipt(output, verified);
}

function parseReceiptFile(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} is not a receipt.`, { cause });
  }
}

async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

function printReceipt(output: Output, verified: VerifiedReceipt): void {
  const { compared, judgedAt, limits } = verified;
  const what = [
    compared.request ? 'request compared' : 'request not given',
    compared.response ? 'response compared' : 'response not given',
  ];
  output.step('receipt-verified', `Receipt verified, issued ${judgedAt.toISOString()}: ${what.join(', ')}`, {
    judgedAt: judgedAt.toISOString(),
    compared,
    limits,
  });
  for (const limit of limits) output.detail(limit);
}
