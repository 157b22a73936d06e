import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const softHsmModule = '/usr/lib/softhsm/libsofthsm2.so';
const nssModule = ['/usr/lib/x86_64-linux-gnu/libsoftokn3.so', '/usr/lib/aarch64-linux-gnu/libsoftokn3.so'].find(
  (path) => existsSync(path),
);

export const pin = '73421-token-pin';

/** A token of its own in a folder of its own. */
export interface TestToken extends AsyncDisposable {
  readonly folder: string;
  readonly module: string;
  readonly pinFile: string;
  /** Environment that programs need to find the token. */
  readonly environment: Readonly<Record<string, string>>;
  /** The URI, with another pin source or other parts if asked. */
  uri(change?: { readonly pinSource?: string | null; readonly token?: string }): string;
}

export const hasSoftHsm = existsSync(softHsmModule) && existsSync('/usr/bin/softhsm2-util');
export const hasNss = nssModule !== undefined && existsSync('/usr/bin/certutil');
export const hasPkcs11Tool = existsSync('/usr/bin/pkcs11-tool');

function uriOf(parts: { token: string; module: string; pinSource: string | null; parameters?: string }): string {
  const query = [
    `module-path=${parts.module}`,
    ...(parts.pinSource === null ? [] : [`pin-source=${parts.pinSource}`]),
    ...(parts.parameters === undefined ? [] : [`x-library-parameters=${encodeURIComponent(parts.parameters)}`]),
  ];
  return `pkcs11:token=${encodeURIComponent(parts.token)}?${query.join('&')}`;
}

async function makeFolder(): Promise<{ folder: string; pinFile: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'fastness-token-'));
  const pinFile = join(folder, 'pin');
  await writeFile(pinFile, `${pin}\n`, { mode: 0o600 });
  return { folder, pinFile };
}

/** SOFTHSM2_CONF is read by the module, which lives in a child: the environment of this process is what it inherits. */
export async function makeSoftHsmToken(label = 'fastness-test'): Promise<TestToken> {
  const { folder, pinFile } = await makeFolder();
  const configuration = join(folder, 'softhsm2.conf');
  await mkdir(join(folder, 'tokens'));
  await writeFile(
    configuration,
    `directories.tokendir = ${join(folder, 'tokens')}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
  );
  const environment = { SOFTHSM2_CONF: configuration };
  process.env['SOFTHSM2_CONF'] = configuration;
  await addSoftHsmToken(configuration, label);
  return {
    folder,
    module: softHsmModule,
    pinFile,
    environment,
    uri: ({ pinSource = `file:${pinFile}`, token = label } = {}) => uriOf({ token, module: softHsmModule, pinSource }),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function addSoftHsmToken(configuration: string, label: string): Promise<void> {
  await run(
    'softhsm2-util',
    ['--init-token', '--free', '--label', label, '--so-pin', 'so-pin-of-tests', '--pin', pin],
    { env: { ...process.env, SOFTHSM2_CONF: configuration } },
  );
}

export async function makeNssToken(): Promise<TestToken> {
  const { folder, pinFile } = await makeFolder();
  const database = join(folder, 'nss');
  await mkdir(database);
  // Its database encrypts every key under a stretched password, and opens it for every use: a tenth of a second each.
  process.env['NSS_MAX_MP_PBE_ITERATION_COUNT'] = '1';
  await run('certutil', ['-N', '-d', `sql:${database}`, '-f', pinFile]);
  await chmod(database, 0o700);
  const module = nssModule ?? '';
  const parameters = `configdir='sql:${database}' certPrefix='' keyPrefix='' secmod='secmod.db' flags= `;
  return {
    folder,
    module,
    pinFile,
    environment: {},
    uri: ({ pinSource = `file:${pinFile}`, token = 'NSS Certificate DB' } = {}) =>
      uriOf({ token, module, pinSource, parameters }),
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
