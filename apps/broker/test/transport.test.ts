import { request as httpsRequest } from 'node:https';
import { networkInterfaces } from 'node:os';
import { encodePem } from '@fastness/codec/bytes';
import { forgeCertificate, generateKeys } from '@fastness/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { call, challenge, refusalOf } from './actors.ts';
import { temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, dawn, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;

beforeAll(async () => {
  world = await createWorld(directory);
});

/** An address of this machine that is not the loopback interface: what others would connect to. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address;

describe.skipIf(outside === undefined)('over plain HTTP from another machine (needs a network interface)', () => {
  it('enclaves are served and administrators are not, whatever their token', async () => {
    const broker = await world.start({ listen: { host: '0.0.0.0', port: 0 } });
    const { port } = new URL(broker.url);
    const url = `http://${outside}:${port}`;
    await challenge(url);
    const answer = await call(`${url}/v1/admin/audit`, { token: adminToken });
    expect([answer.status, refusalOf(answer)]).toEqual([403, 'BROKER_ADMIN_TRANSPORT']);
    expect((await call(`http://127.0.0.1:${port}/v1/admin/audit`, { token: adminToken })).status).toBe(200);
    await broker.close();
  });
});

it('over TLS administrators are served', async () => {
  const keys = await generateKeys('p-256');
  const certificate = await forgeCertificate({
    subject: { commonName: 'broker' },
    keys,
    validity: { notBefore: dawn, notAfter: new Date(dawn.getTime() + 86_400_000) },
    serial: 1,
    extensions: [],
  });
  const tls = { certificate: encodePem(certificate, 'CERTIFICATE'), privateKey: encodePem(keys.pkcs8, 'PRIVATE KEY') };
  const host = outside ?? '127.0.0.1';
  const broker = await world.start({ listen: { host, port: 0, tls } });
  expect(broker.url).toMatch(/^https:/);
  const status = await new Promise((resolve, reject) => {
    const options = { headers: { authorization: `Bearer ${adminToken}` }, rejectUnauthorized: false, agent: false };
    httpsRequest(`${broker.url}/v1/admin/audit`, options, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(200);
  await broker.close();
});
