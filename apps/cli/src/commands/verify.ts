import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { parseClientPolicy, verifyReceiptBundle, type VerifiedReceipt } from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import { clientForHome, type ClientOptions } from '../support/client.ts';
import { action } from '../support/command.ts';
import { readJson, readText } from '../support/home.ts';
import type { Context } from '../support/run.ts';
import { printVerifiedEnclave } from '../support/verdict.ts';

interface VerifyOptions extends ClientOptions {
  readonly request?: string;
  readonly response?: string;
}

export function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'verify a running enclave (URL of it or of its relay), or a receipt file, offline; exit code 0 only if everything holds',
    )
    .argument('<url-or-receipt>', 'http(s) address, or a receipt that `fastness chat` saved')
    .option('--policy <file>', "what is accepted (default: the home's policy/client.json)")
    .option('--request <file>', "for a receipt: the request's body, to compare its digest")
    .option('--response <file>', "for a receipt: the response's body, to compare its digest")
    .action(
      action<VerifyOptions>(async (context, options, [target = '']) => {
        if (/^https?:\/\//.test(target)) {
          const client = await clientForHome(context.home, { ...options, url: target });
          printVerifiedEnclave(context.output, await client.verify());
        } else if (existsSync(target)) await verifyReceipt(context, target, options);
        else
          throw new FastnessError('CLI_USAGE', `${JSON.stringify(target)} is neither an http(s) address nor a file.`);
      }),
    );
}

async function verifyReceipt({ home, output }: Context, path: string, options: VerifyOptions): Promise<void> {
  const policy = parseClientPolicy(await readJson(options.policy ?? home.clientPolicyFile));
  const bundle = parseReceiptFile(path, await readText(path));
  const verified = await verifyReceiptBundle({
    bundle,
    policy,
    now: new Date(),
    ...(options.request === undefined
      ? {}
      : { request: { ...requestLine(bundle), body: await readFile(options.request) } }),
    ...(options.response === undefined
      ? {}
      : { response: { status: statusOf(bundle), body: await readFile(options.response) } }),
  });
  printVerifiedEnclave(output, verified.enclave);
  printReceipt({ home, output } as Context, verified);
}

function parseReceiptFile(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FastnessError('CLI_NOT_RECOGNISED', `${path} is not a receipt.`, { cause });
  }
}

/** Method, path and status are members of the receipt file and covered by the digests that are compared. */
function requestLine(bundle: unknown): { method: string; path: string } {
  const request = (bundle as { request?: { method?: string; path?: string } }).request;
  return { method: request?.method ?? '', path: request?.path ?? '' };
}

function statusOf(bundle: unknown): number {
  return (bundle as { response?: { status?: number } }).response?.status ?? 0;
}

function printReceipt({ output }: Context, verified: VerifiedReceipt): void {
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
