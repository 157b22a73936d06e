import { createHash } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { administratorsAt, administratorsSchema, type BrokerOptions } from '@fastness/broker';
import { utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { readPrivateFile } from '@fastness/keys';
import { readJson, readText, type Home } from './home.ts';
import { listenAddress } from './listen.ts';

/** Options of commands that run a broker: how it listens, and who administers it. */
export interface AdministratorsOptions {
  readonly administrators?: string;
  readonly tlsCertificate?: string;
  readonly tlsKey?: string;
  /** False with `--no-admin-token`. */
  readonly adminToken: boolean;
}

export function withAdministratorsOptions(command: Command): Command {
  return command
    .option('--administrators <file>', 'JSON file that names administrators with their roles')
    .option('--tls-certificate <file>', 'PEM file; the broker terminates TLS itself')
    .option('--tls-key <file>', 'private PEM file with its key')
    .option('--no-admin-token', "do not take the home's token; only administrators of the file get in");
}

/** Listener and administrators of a broker. Throws `CLI_USAGE`, `BROKER_CONFIG_INVALID`, `KEYS_PERMISSIONS`. */
export async function brokerAdministrators(
  home: Home,
  url: string,
  options: AdministratorsOptions,
): Promise<Pick<BrokerOptions, 'listen' | 'administrators' | 'adminTokenSha256'>> {
  const { administrators: file, tlsCertificate, tlsKey } = options;
  if ((tlsCertificate === undefined) !== (tlsKey === undefined))
    throw new FastnessError('CLI_USAGE', 'Give --tls-certificate and --tls-key, or neither.');
  const listen = listenAddress(url, { tls: tlsCertificate !== undefined });
  return {
    listen:
      tlsCertificate === undefined || tlsKey === undefined
        ? listen
        : { ...listen, tls: { certificate: await readText(tlsCertificate), privateKey: await readKey(tlsKey) } },
    ...(file === undefined ? {} : { administrators: await readAdministrators(file) }),
    ...(options.adminToken
      ? {
          adminTokenSha256: createHash('sha256')
            .update(utf8Encode((await readText(home.adminTokenFile)).trim()))
            .digest('hex'),
        }
      : {}),
  };
}

async function readAdministrators(file: string): Promise<NonNullable<BrokerOptions['administrators']>> {
  const parsed = administratorsSchema.safeParse(await readJson(file));
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.map(String).join('.') ?? '';
    throw new FastnessError('BROKER_CONFIG_INVALID', `${file}: at ${place === '' ? 'the top' : place}.`);
  }
  return administratorsAt(parsed.data, (path) => resolve(dirname(file), path));
}

async function readKey(file: string): Promise<string> {
  return new TextDecoder().decode(await readPrivateFile(file, { maxBytes: 64 * 1024, tooLarge: 'CLI_USAGE' }));
}
