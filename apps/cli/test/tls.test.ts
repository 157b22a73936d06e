import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { SIMULATED_TEE_VARIABLE } from '@fastness/evidence';
import { startSimulatedTee, type SimulatedTee } from '@fastness/testkit/simulated-tee';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCli, type CliProcess, type CliResult } from '../../../attacks/support/cli.ts';
import { simulatedOnly } from '../../enclave/test/simulated-policy.ts';
import { tlsCommand } from '../src/commands/tls.ts';
import { verifyCommand } from '../src/commands/verify.ts';
import { hostPortOf, written } from '../src/support/attested-tls.ts';
import { runInProcess } from './support/in-process.ts';

const release = 'ab'.repeat(32);
const otherRelease = 'cd'.repeat(32);

// The commands as processes, with evidence of the simulated TEE, in front of a service that knows nothing of TLS.
describe('fastness tls', { timeout: 300_000 }, () => {
  let folder: string;
  let tee: SimulatedTee;
  let service: Server;
  let policy: string;
  let stranger: string;
  let serving: CliProcess;
  let connecting: CliProcess;
  let open: string;
  let serviceAt: string;
  const heard: string[] = [];
  const sockets = new Set<Socket>();
  const before = process.env[SIMULATED_TEE_VARIABLE];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-tls-'));
    tee = await startSimulatedTee({
      stateDir: join(folder, 'tee'),
      socketPath: join(folder, 'tee.sock'),
      image: ['package.json'],
      rsaBits: 2048,
      warn: () => undefined,
    });
    process.env[SIMULATED_TEE_VARIABLE] = tee.socketPath;
    const accepted = { ...simulatedOnly(tee), snp: { ...simulatedOnly(tee).snp, measurements: [tee.measurement] } };
    policy = join(folder, 'policy.json');
    stranger = join(folder, 'stranger.json');
    await writeFile(policy, JSON.stringify(accepted));
    await writeFile(
      stranger,
      JSON.stringify({ ...accepted, snp: { ...accepted.snp, measurements: ['00'.repeat(48)] } }),
    );
    // Answers only when the other side has said all: what it says has to arrive on a connection that is half closed.
    service = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      void (async () => {
        const said = await text(socket);
        heard.push(said);
        socket.end(`heard ${said}`);
      })().catch(() => socket.destroy());
    });
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    serviceAt = `127.0.0.1:${(service.address() as AddressInfo).port}`;
    const served = ['--listen', 'tls://127.0.0.1:0', '--to', serviceAt, '--policy', policy, '--release', release];
    serving = startCli(folder, ['tls', 'serve', ...served]);
    open = await addressOf(serving);
    const wanted = ['--to', open, '--policy', policy, '--peer-release', release];
    connecting = startCli(folder, ['tls', 'connect', '--listen', '127.0.0.1:0', '--prove', ...wanted]);
  }, 300_000);

  afterAll(async () => {
    await Promise.all([connecting?.stop(), serving?.stop()]);
    for (const socket of sockets) socket.destroy();
    service?.close();
    await tee?.close();
    if (before === undefined) delete process.env[SIMULATED_TEE_VARIABLE];
    else process.env[SIMULATED_TEE_VARIABLE] = before;
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  const addressOf = async (started: CliProcess): Promise<string> =>
    String((await started.waitFor(({ event }) => event === 'listening', 200_000))['address']);
  const run = async (...args: string[]): Promise<CliResult> => runInProcess(tlsCommand, folder, ['tls', ...args]);

  it('carries a service that knows nothing of it, with proof of both sides', async () => {
    const { host, port } = hostPortOf(await addressOf(connecting));
    const socket = connect({ host, port, allowHalfOpen: true });
    const said = 'p'.repeat(300_000);
    socket.end(said);
    expect(await text(socket)).toBe(`heard ${said}`);
    expect(connecting.events.find(({ event }) => event === 'tls-verified')).toMatchObject({ simulated: true });
    const { key } = await serving.waitFor(({ event }) => event === 'connected');
    expect(key).toMatch(/^3059/);
    expect(JSON.stringify(connecting.events)).toContain('SIMULATED TEE');
  });

  it.each<[string, string[], string, number]>([
    ['another image', ['--policy', 'stranger', '--peer-release', release], 'SNP_MEASUREMENT_NOT_ALLOWED', 5],
    ['another release', ['--policy', 'policy', '--peer-release', otherRelease], 'SNP_REPORT_DATA_MISMATCH', 5],
    ['no release', ['--policy', 'policy'], 'SNP_REPORT_DATA_MISMATCH', 5],
    [
      'an exchange in which this side does not prove itself',
      ['--policy', 'policy', '--peer-release', release],
      'CHANNEL_TLS_CLOSED',
      7,
    ],
  ])('refuses %s, and nothing reaches the service', async (_, options, code, exitCode) => {
    const already = heard.length;
    const files: Record<string, string> = { policy, stranger };
    const refused = await run('verify', open, ...options.map((option) => files[option] ?? option));
    expect([refused.code, refused.exitCode]).toEqual([code, exitCode]);
    expect(heard).toHaveLength(already);
  });

  it('names a service that speaks no TLS, and the command for this one', async () => {
    const plain = createServer((socket) => void socket.on('error', () => undefined).end('no TLS here'));
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as AddressInfo;
    const refused = await run('verify', `tls://127.0.0.1:${port}`, '--policy', policy);
    plain.close();
    expect(refused.code).toBe('CHANNEL_TLS_HANDSHAKE');
    const hint = await runInProcess(verifyCommand, folder, ['verify', open]);
    expect([hint.code, JSON.stringify(hint.events)]).toEqual(['CLI_USAGE', expect.stringContaining('tls verify')]);
  });

  it('keeps clear text on this machine unless told otherwise', async () => {
    const serve = await run('serve', '--listen', 'tls://127.0.0.1:0', '--to', '10.1.2.3:5432');
    const listen = await run('connect', '--to', open, '--listen', '0.0.0.0:0', '--policy', policy);
    expect([serve.code, listen.code]).toEqual(['CLI_TLS_REMOTE', 'CLI_TLS_REMOTE']);
  });
});

it('reads addresses', () => {
  expect(hostPortOf('tls://10.0.0.7:8443', 'tls')).toEqual({ host: '10.0.0.7', port: 8443 });
  expect(written(hostPortOf('[::1]:80'))).toBe('[::1]:80');
  for (const wrong of ['10.0.0.7', 'tls://10.0.0.7:1', '10.0.0.7:1/x', 'u:p@h:1', 'h:99999', 'h:1?x', 'http://h:1'])
    expect(() => hostPortOf(wrong), wrong).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
  expect(() => hostPortOf('10.0.0.7:1', 'tls')).toThrow(expect.objectContaining({ code: 'CLI_USAGE' }));
});
