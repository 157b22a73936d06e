import { isIP } from 'node:net';
import { serve } from '@hono/node-server';
import { Command } from 'commander';
import type { FastnessClient } from '@fastness/client';
import { FastnessError } from '@fastness/codec/errors';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { clientForHome } from '../support/client.ts';
import { action } from '../support/command.ts';
import { readHomeConfig } from '../support/home.ts';
import { isLoopback, listenAddress } from '../support/listen.ts';
import { asFastnessError, untilAborted } from '../support/run.ts';
import { printVerifiedEnclave } from '../support/verdict.ts';

interface ProxyOptions {
  readonly listen?: string;
  readonly allowRemote?: boolean;
  readonly url?: string;
  readonly policy?: string;
  readonly apiKeyFile?: string;
}

const bodyLimitBytes = 8 * 1024 * 1024;

export function proxyCommand(): Command {
  return new Command('proxy')
    .description(
      'a local OpenAI-compatible address: every request is verified and encrypted before it leaves this machine',
    )
    .option('--listen <url>', "local address (default: the home's proxyUrl)")
    .option('--allow-remote', 'listen on an address that other machines reach: their prompts come in clear')
    .option('--url <url>', "the relay or the enclave (default: the home's relayUrl)")
    .option('--policy <file>', "what this client accepts (default: the home's policy/client.json)")
    .option('--api-key-file <file>', 'the API key that the owner of the model gave you; sent inside the channel only')
    .action(
      action<ProxyOptions>(async ({ home, output, signal }, options) => {
        const client = await clientForHome(home, options);
        printVerifiedEnclave(output, await client.verify());
        const listen = options.listen ?? (await readHomeConfig(home)).proxyUrl;
        const proxy = await startProxy({ client, listen, allowRemote: options.allowRemote ?? false });
        output.step('listening', `OpenAI-compatible address: ${proxy.url}/v1 (clients need no API key of their own)`, {
          url: proxy.url,
        });
        await untilAborted(signal);
        await proxy.close();
      }),
    );
}

export interface Proxy {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `/v1/*` on a loopback address and forwards it through `client`, which verifies and encrypts. Errors that arise
 * here have OpenAI's shape, because OpenAI clients read them. Pages of a browser are refused (`CLI_PROXY_ORIGIN`) before
 * anything is sent: that they could not read an answer would not keep them from spending what the API key pays for. So is a
 * foreign Host (DNS rebinding); with `allowRemote` any address is taken for one of this machine's, and no name.
 *
 * Does not protect against other users and programs of this machine: whoever reaches the port may ask.
 */
export async function startProxy(options: {
  client: Pick<FastnessClient, 'fetch'>;
  listen: string;
  allowRemote?: boolean;
}): Promise<Proxy> {
  const listen = listenAddress(options.listen);
  if (!isLoopback(listen.host) && options.allowRemote !== true)
    throw new FastnessError('CLI_LISTEN_REMOTE', options.listen);
  const app = new Hono();
  app.use(async (context, next) => {
    const host = new URL(context.req.url).hostname;
    const asAddress = options.allowRemote === true && isIP(host.replace(/^\[|\]$/g, '')) !== 0;
    if (!asAddress && !['127.0.0.1', 'localhost', '[::1]', listen.host].includes(host))
      return openAiError(new FastnessError('CLI_PROXY_ORIGIN', `Host ${host} is not this proxy.`));
    if (isFromPage(context.req.raw.headers)) return openAiError(new FastnessError('CLI_PROXY_ORIGIN'));
    return next();
  });
  app.use(
    bodyLimit({
      maxSize: bodyLimitBytes,
      onError: () => openAiError(new FastnessError('CLI_USAGE', `The body is over ${bodyLimitBytes} bytes.`)),
    }),
  );
  app.all('/v1/*', async (context) => {
    const { raw } = context.req;
    // Credentials of the local client are for this proxy, not for the enclave.
    const headers = new Headers(raw.headers);
    for (const name of ['authorization', 'host', 'connection', 'content-length', 'cookie']) headers.delete(name);
    const body = raw.method === 'GET' || raw.method === 'HEAD' ? undefined : new Uint8Array(await raw.arrayBuffer());
    const { pathname, search } = new URL(raw.url);
    // The client maps the path onto the channel; no such host is ever contacted.
    return options.client.fetch(`https://enclave.invalid${pathname}${search}`, {
      method: raw.method,
      headers,
      signal: raw.signal,
      ...(body === undefined ? {} : { body }),
    });
  });
  app.notFound(() => openAiError(new FastnessError('CLI_USAGE', 'Only /v1/ is served here.')));
  app.onError((error) => openAiError(asFastnessError(error)));
  const server = serve({ fetch: app.fetch, hostname: listen.host, port: listen.port });
  const url = await new Promise<string>((resolve, reject) => {
    server.once('error', (cause) => reject(new FastnessError('CLI_LISTEN', options.listen, { cause })));
    server.once('listening', () => {
      const address = server.address();
      resolve(
        typeof address === 'object' && address !== null ? `http://${listen.host}:${address.port}` : options.listen,
      );
    });
  });
  return {
    url,
    close: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Whether a browser sends it for a page; what its user opens in a tab is for nobody's page. The proxy has no pages. */
function isFromPage(headers: Headers): boolean {
  return headers.has('origin') || (headers.get('sec-fetch-site') ?? 'none') !== 'none';
}

function openAiError(error: FastnessError): Response {
  return Response.json(
    { error: { message: `${error.message} ${error.next}`, type: error.class, code: error.code, param: null } },
    { status: error.httpStatus },
  );
}
