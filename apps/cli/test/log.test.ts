import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fromBase64Url, utf8Encode } from '@fastness/codec';
import { openCheckpoint, parseVerifierKey, requestCosignature, verifierKeyOf } from '@fastness/log';
import { openTileLog, type TileLog } from '@fastness/log/node';
import { afterAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../../../attacks/support/cli.ts';
import { logCommand } from '../src/commands/log.ts';
import { homeAt } from '../src/support/home.ts';
import { logKeyOf } from '../src/support/log-source.ts';
import { runInProcess } from './support/in-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'fastness-cli-log-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});
const at = (name: string): string => join(folder, name);
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const brokerKey = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
const raw = fromBase64Url(publicKey.export({ format: 'jwk' }).x ?? '');
const key = await verifierKeyOf({ name: 'log.example', publicKey: raw });
const stranger = await verifierKeyOf({ name: 'log.example', publicKey: raw.map((byte) => byte ^ 1) });

const openLog = async (directory: string): Promise<TileLog> =>
  openTileLog({ directory, key, sign: async (message) => new Uint8Array(sign(null, message, privateKey)) });

/** A log of so many entries in a folder; `salt` makes another history. */
async function logOf(name: string, count: number, salt = ''): Promise<string> {
  await using log = await openLog(at(name));
  const first = log.size;
  await log.append(
    Array.from({ length: count }, (_, place) => utf8Encode(JSON.stringify({ seq: first + place + 1, salt }))),
  );
  return at(name);
}
const run = async (...args: string[]): Promise<CliResult> =>
  runInProcess(logCommand, at('home'), ['log', ...args.slice(0, 1), '--key', key.text, ...args.slice(1)]);

describe('fastness log', () => {
  it('verifies a log and remembers it; a longer one continues it', async () => {
    const log = await logOf('grows', 300);
    const remember = at('grows.checkpoint');
    expect(await run('verify', log, '--remember', remember)).toMatchObject({ exitCode: 0 });
    await logOf('grows', 50);
    const again = await run('verify', log, '--remember', remember);
    expect(again.events.map(({ event }) => event)).toEqual(['checkpoint-verified', 'continues', 'entries-verified']);
    expect(again.events[2]).toMatchObject({ size: 350 });
    expect(readFileSync(remember, 'utf8')).toContain('\n350\n');
  });

  it('tells rollback, fork, damage and a foreign log apart, and remembers none of them', async () => {
    const log = await logOf('honest', 300);
    const early = at('early');
    cpSync(log, early, { recursive: true });
    await logOf('honest', 10);
    const remember = at('honest.checkpoint');
    await run('verify', log, '--remember', remember);
    const note = readFileSync(remember, 'utf8');
    const refused = async (place: string): Promise<unknown> =>
      (await run('verify', place, '--remember', remember)).code;
    expect(await refused(early)).toBe('LOG_ROLLBACK');
    expect(existsSync(`${remember}.conflict`)).toBe(true);
    expect(await refused(await logOf('forked', 400, 'other'))).toBe('LOG_FORK');
    expect(readFileSync(`${remember}.conflict`, 'utf8')).toContain('\n400\n');
    const tile = join(log, 'tile/entries/000');
    const bytes = readFileSync(tile);
    writeFileSync(tile, bytes.with(20, (bytes[20] ?? 0) ^ 1));
    expect(await refused(log)).toBe('LOG_TILES_DAMAGED');
    expect(readFileSync(remember, 'utf8')).toBe(note);
    const foreign = await runInProcess(logCommand, at('home'), ['log', 'verify', log, '--key', stranger.text]);
    expect(foreign).toMatchObject({ code: 'LOG_NOTE_UNSIGNED', exitCode: 4 });
    expect(await run('verify', at('nothing'))).toMatchObject({ code: 'LOG_UNAVAILABLE', exitCode: 7 });
  });

  it('writes an offline proof and verifies it without the log', async () => {
    const log = await logOf('proven', 300);
    const file = at('entry.tlog-proof');
    expect(await run('prove', '270', log, '--out', file)).toMatchObject({ exitCode: 0 });
    rmSync(log, { recursive: true });
    const verified = await run('verify', file);
    expect(verified.events[0]).toMatchObject({ event: 'proof-verified', index: 270, size: 300 });
    expect(JSON.parse(String(verified.events[0]?.['entry']))).toEqual({ seq: 271, salt: '' });
    writeFileSync(file, readFileSync(file, 'utf8').replace('index 270', 'index 271'));
    expect(await run('verify', file)).toMatchObject({ code: 'LOG_INCLUSION' });
    expect(await run('prove', 'x', log)).toMatchObject({ code: 'CLI_USAGE' });
    const small = await logOf('small', 3);
    expect(await run('prove', '3', small)).toMatchObject({ code: 'LOG_RANGE', exitCode: 2 });
  });

  it('reads a log over HTTP and prints its end', async () => {
    await using log = await openLog(at('served'));
    await log.append(Array.from({ length: 30 }, (_, place) => utf8Encode(`{"seq":${place + 1}}`)));
    const server = createServer((request, response) => {
      const answer = async (): Promise<void> => {
        const bytes = await log.resource((request.url ?? '').slice(5));
        response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
      };
      void answer();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/log/`;
    try {
      expect(await run('verify', url)).toMatchObject({ exitCode: 0 });
      expect((await run('tail', url)).events.map(({ index }) => index)).toEqual([
        20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
      ]);
      expect((await run('tail', url, '--from', '28')).events).toMatchObject([
        { index: 28, entry: '{"seq":29}' },
        { index: 29, entry: '{"seq":30}' },
      ]);
    } finally {
      server.close();
      server.closeAllConnections();
    }
    expect(await run('verify', url)).toMatchObject({ code: 'LOG_UNAVAILABLE' });
  });

  it("knows the log of a home's broker by the name that it has on this disk, and its key by the home", async () => {
    const home = homeAt(at('fleet'));
    const own = await logKeyOf(home, brokerKey);
    mkdirSync(join(home.brokerDirectory, 'audit.jsonl.tlog'), { recursive: true });
    const named = async (origin: string): Promise<string> => {
      writeFileSync(join(home.brokerDirectory, 'audit.jsonl.tlog/checkpoint'), `${origin}\n1\nAAAA\n`);
      const { name, publicKey: found } = await logKeyOf(home, brokerKey);
      expect(found).toEqual(own.publicKey);
      return name;
    };
    expect(await named(`${own.name}/broker-1`)).toBe(`${own.name}/broker-1`);
    for (const origin of [own.name, 'example.com/models', '']) expect(await named(origin)).toBe(own.name);
  });

  it('asks for as many witnesses as there are at most', async () => {
    const log = await logOf('unwitnessed', 3);
    const witness = await verifierKeyOf({ name: 'w1', publicKey: raw, algorithm: 'cosignature/v1' });
    expect(await run('verify', log, '--witness', witness.text)).toMatchObject({
      code: 'LOG_COSIGNATURES',
      exitCode: 5,
    });
    expect(await run('verify', log, '--witnesses', '1')).toMatchObject({ code: 'CLI_USAGE' });
  });
});

describe('fastness log witness', () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const start = async (state: string): Promise<{ child: ChildProcess; url: string; key: string }> => {
    const child = spawn(
      process.execPath,
      [
        '--conditions=source',
        '--no-warnings',
        main,
        '--json',
        'log',
        'witness',
        '--state',
        state,
        '--name',
        'w.example',
        '--log',
        key.text,
        '--listen',
        'http://127.0.0.1:0',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    for await (const line of createInterface({ input: child.stdout })) {
      const { url, key: text } = JSON.parse(line) as { url: string; key: string };
      return { child, url, key: text };
    }
    throw new Error('The witness did not start.');
  };

  it('cosigns what continues, and after kill -9 still refuses what does not', { timeout: 120_000 }, async () => {
    const state = at('witness');
    await using log = await openLog(at('witnessed'));
    await log.append(Array.from({ length: 20 }, (_, place) => utf8Encode(`${place}`)));
    const ask = async (to: { url: string; key: string }, of: TileLog, fetch = globalThis.fetch) => {
      const checkpoint = await of.checkpoint();
      const witness = { url: to.url, key: await parseVerifierKey(to.key) };
      const prove = async (oldSize: number) => of.proveConsistency(oldSize, checkpoint.size);
      const { line } = await requestCosignature({ witness, checkpoint, oldSize: 0, prove, fetch });
      const trust = { logKeys: [key], witnesses: { keys: [witness.key], threshold: 1 } };
      return await openCheckpoint(checkpoint.note + line, trust);
    };
    const first = await start(state);
    expect((await ask(first, log)).size).toBe(20);
    first.child.kill('SIGKILL');
    await once(first.child, 'close');
    const second = await start(state);
    try {
      expect(second.key).toBe(first.key);
      await log.append([utf8Encode('one more')]);
      expect((await ask(second, log)).size).toBe(21);
      await using fork = await openLog(at('witnessed-fork'));
      await fork.append(Array.from({ length: 30 }, (_, place) => utf8Encode(`fork ${place}`)));
      await expect(ask(second, fork)).rejects.toMatchObject({ code: 'LOG_WITNESS_INCONSISTENT' });
      const get = await fetch(new URL('add-checkpoint', second.url));
      expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
      expect((await fetch(new URL('other', second.url), { method: 'POST' })).status).toBe(404);
      const large = { method: 'POST', body: new Uint8Array(100_000) };
      expect((await fetch(new URL('add-checkpoint', second.url), large)).status).toBe(413);
    } finally {
      second.child.kill('SIGTERM');
      await once(second.child, 'close');
    }
  });
});
