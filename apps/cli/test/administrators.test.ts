import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Broker } from '@fastness/broker';
import {
  alternativeNames,
  createAuthority,
  usableFor,
  type Authority,
  type Credential,
} from '../../broker/test/admin-authority.ts';
import { freshPath, temporaryDirectory } from '../../broker/test/temporary.ts';
import { adminToken, createWorld, type World } from '../../broker/test/world.ts';
import { revokeCommand } from '../src/commands/revoke.ts';
import { whoamiCommand } from '../src/commands/whoami.ts';
import { brokerAdministrators } from '../src/support/broker-administrators.ts';
import { defaultHomeConfig, homeAt } from '../src/support/home.ts';
import { runInProcess } from './support/in-process.ts';

const directory = temporaryDirectory();
const home = join(directory, 'home');
const file = (name: string, text: string, mode = 0o600): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
};
const configure = (admin: object | undefined, brokerUrl: string): void => {
  writeFileSync(
    join(home, 'config.json'),
    JSON.stringify({ ...defaultHomeConfig, brokerUrl, ...(admin && { admin }) }),
  );
};

let world: World;
let authority: Authority;
let auditor: Credential;
let broker: Broker;

beforeAll(async () => {
  world = await createWorld(directory);
  // Clients go by the clock of this machine.
  const now = new Date();
  world.clock.now = now;
  const hour = 3_600_000;
  authority = await createAuthority({
    notBefore: new Date(now.getTime() - hour),
    notAfter: new Date(now.getTime() + hour),
  });
  const loopback = alternativeNames([7, Uint8Array.of(127, 0, 0, 1)]);
  const server = await authority.issue({ subject: 'broker', extensions: [usableFor('server'), loopback] });
  auditor = await authority.issue();
  mkdirSync(join(home, 'broker'), { recursive: true });
  writeFileSync(join(home, 'broker/admin.token'), adminToken);
  file('authority.pem', authority.pem);
  const identities = [{ name: 'auda', roles: ['auditor'], spkiSha256: auditor.spkiSha256 }];
  const administrators = file(
    'administrators.json',
    JSON.stringify({ certificates: { authorityPath: 'authority.pem', identities } }),
  );
  const options = await brokerAdministrators(homeAt(home), 'https://127.0.0.1:0', {
    administrators,
    tlsCertificate: file('server.pem', server.certificate),
    tlsKey: file('server.key', server.privateKey),
    adminToken: true,
  });
  broker = await world.start(options, { token: false });
});
afterAll(() => broker.close());

const whoami = async (): ReturnType<typeof runInProcess> => await runInProcess(whoamiCommand, home, ['whoami']);

describe('an administrator presents', () => {
  it('a client certificate, whose key nobody else can read, to a broker that is the one', async () => {
    const admin = {
      certificatePath: file('auda.pem', auditor.certificate, 0o644),
      privateKeyPath: file('auda.key', auditor.privateKey),
      authorityPath: '../authority.pem',
    };
    configure(admin, broker.url);
    const known = await whoami();
    expect(known.events, known.stderr).toMatchObject([
      { event: 'identity', name: 'auda', via: 'certificate', roles: ['auditor'] },
    ]);
    const value = 'ee'.repeat(48);
    const refused = await runInProcess(revokeCommand, home, ['revoke', 'measurement', value, '--reason', 'test']);
    expect(refused).toMatchObject({ exitCode: 5, code: 'BROKER_ADMIN_FORBIDDEN' });

    configure({ ...admin, authorityPath: file('other.pem', (await createAuthority()).pem) }, broker.url);
    expect(await whoami()).toMatchObject({ exitCode: 7, code: 'CLI_SERVER_UNREACHABLE' });
    configure({ ...admin, privateKeyPath: file('open.key', auditor.privateKey, 0o644) }, broker.url);
    expect(await whoami()).toMatchObject({ code: 'KEYS_PERMISSIONS' });
  });

  it('a token from a file that nobody else can read, and never repeats it', async () => {
    const authorityPath = join(directory, 'authority.pem');
    configure({ authorityPath }, broker.url);
    expect((await whoami()).events).toMatchObject([{ event: 'identity', name: 'token', roles: ['owner'] }]);
    configure({ authorityPath, tokenPath: file('token', `${adminToken}\n`) }, broker.url);
    expect((await whoami()).events).toMatchObject([{ event: 'identity', name: 'token' }]);
    configure({ authorityPath, tokenPath: file('token', 'sesame') }, broker.url);
    const wrong = await whoami();
    expect(wrong).toMatchObject({ exitCode: 6, code: 'BROKER_ADMIN_UNAUTHORIZED' });
    expect(JSON.stringify(wrong.events) + wrong.stderr).not.toContain('sesame');
    configure({ authorityPath, tokenPath: file('token', 'sesame\r\nx: y') }, broker.url);
    expect(await whoami()).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
    configure({ authorityPath, tokenPath: file('token', adminToken, 0o640) }, broker.url);
    expect(await whoami()).toMatchObject({ code: 'KEYS_PERMISSIONS' });
    // A broker elsewhere that does not speak TLS gets no token at all.
    configure(undefined, 'http://192.0.2.1:1');
    expect(await whoami()).toMatchObject({ code: 'CLI_ADMIN_TRANSPORT' });
  });
});

it("a broker's options name administrators and its TLS key completely, or it does not start", async () => {
  const options = async (changes: object, url = 'http://127.0.0.1:0'): Promise<unknown> =>
    await brokerAdministrators(homeAt(home), url, { adminToken: true, ...changes }).catch((error: unknown) => error);
  expect(await options({})).toMatchObject({ listen: { port: 0 }, adminTokenSha256: expect.any(String) });
  expect(await options({ adminToken: false })).not.toHaveProperty('adminTokenSha256');
  const usage = { code: 'CLI_USAGE' };
  expect(await options({ tlsCertificate: 'x' })).toMatchObject(usage);
  expect(await options({}, 'https://127.0.0.1:0')).toMatchObject(usage);
  const pem = join(directory, 'server.pem');
  const open = file('open-server.key', 'x', 0o644);
  const tls = { tlsCertificate: pem, tlsKey: join(directory, 'server.key') };
  expect(await options(tls)).toMatchObject(usage);
  expect(await options({ ...tls, tlsKey: open }, 'https://127.0.0.1:0')).toMatchObject({ code: 'KEYS_PERMISSIONS' });
  const wrong = freshPath(directory, 'administrators');
  writeFileSync(wrong, JSON.stringify({ certificates: { identities: [] } }));
  expect(await options({ administrators: wrong })).toMatchObject({ code: 'BROKER_CONFIG_INVALID' });
});
