import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startSwtpm, swtpmInstalled, type RunningSwtpm } from '@fastness/testkit';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { openAnchor } from '../src/index.ts';
import { admin } from './actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, passphrase, sha256, type World } from './world.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const directory = temporaryDirectory();
let world: World;

beforeAll(async () => {
  world = await createWorld(directory);
});
afterAll(async () => {
  await world.keyStore[Symbol.asyncDispose]();
});

interface Started {
  readonly url: string | undefined;
  readonly said: string;
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>;
}

/** The broker as a process; `url` is undefined when it ended instead of listening. */
async function start(config: string, ...more: string[]): Promise<Started> {
  const child = spawn(process.execPath, ['--conditions=source', main, '--config', config, ...more], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let said = '';
  const closed = once(child, 'close');
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('listening on')) resolve();
    });
    child.once('close', () => {
      resolve();
    });
  });
  return {
    url: /listening on (\S+)/.exec(said)?.[1],
    said,
    async end(signal) {
      child.kill(signal);
      await closed;
      return child.exitCode;
    },
  };
}

describe('a broker that is killed', () => {
  const folder = freshPath(directory, 'home');
  const config = join(folder, 'broker.json');
  let emulator: RunningSwtpm | undefined;
  // A real TPM 2.0 emulator where Debian's swtpm is installed, and a database where it is not.
  let anchor = `sqlite:${join(folder, 'elsewhere.db')}`;
  beforeAll(async () => {
    mkdirSync(folder);
    if (swtpmInstalled) {
      emulator = await startSwtpm(join(folder, 'tpm'));
      anchor = `tpm:swtpm:${emulator.socketPath}`;
    }
    writeFileSync(join(folder, 'passphrase'), passphrase, { mode: 0o600 });
    writeFileSync(
      config,
      JSON.stringify({
        version: 1,
        listen: { port: 0 },
        databasePath: 'broker.db',
        auditPath: 'audit.log',
        keyStore: { kind: 'software', path: world.keyStorePath, passphrasePath: 'passphrase' },
        signer: { keyId: 'broker' },
        policy: world.policy,
        adminTokenSha256: sha256(adminToken),
        freshness: { anchor, epochSeconds: 0.1 },
      }),
    );
  });
  afterAll(() => emulator?.kill());

  it(
    'at any moment starts again, has what it confirmed, and its anchor never falls',
    { timeout: 180_000 },
    async () => {
      const first = await start(config);
      expect(first.said).toContain('rollback protection');
      expect(await first.end('SIGTERM')).toBe(0);
      const confirmed: string[] = [];
      let reached = 0n;
      for (let round = 0; round < 4; round += 1) {
        const { url, end, said } = await start(config);
        if (url === undefined) throw new Error(said);
        let killed: Promise<unknown> | undefined;
        for (let place = 0; ; place += 1) {
          const names = [0, 1, 2].map((each) => `csp-id:machine-${round}-${place}-${each}`);
          const answers = await Promise.allSettled(names.map((name) => admin.revoke(url, 'platform', name)));
          names.forEach((name, each) => {
            const answer = answers[each];
            if (answer?.status === 'fulfilled' && answer.value.status === 200) confirmed.push(name);
          });
          if (answers.some(({ status }) => status === 'rejected')) break;
          killed ??= setTimeout(Math.random() * 150).then(() => end('SIGKILL'));
        }
        await killed;
        await using looked = await openAnchor({ anchor });
        const { value } = await looked.read();
        expect(value >= reached).toBe(true);
        reached = value;
      }
      expect(confirmed.length).toBeGreaterThan(0);
      const last = await start(config);
      if (last.url === undefined) throw new Error(last.said);
      const entries = [];
      for (let after = 0; ; after = entries.length) {
        const page = await admin.audit(last.url, after);
        if (page.length === 0) break;
        entries.push(...page);
      }
      const revoked = new Set(entries.map(({ facts }) => facts['value']));
      expect(confirmed.filter((name) => !revoked.has(name))).toEqual([]);
      expect(await last.end('SIGTERM')).toBe(0);
    },
  );

  it(
    'and whose state is put back to an older copy, does not start: exit code 5, and what to do',
    { timeout: 180_000 },
    async () => {
      const copy = freshPath(directory, 'copy');
      const files = ['broker.db', 'audit.log', 'audit.log.freshness', 'audit.log.tlog'];
      mkdirSync(copy);
      for (const file of files) cpSync(join(folder, file), join(copy, file), { recursive: true });
      expect(await (await start(config)).end('SIGTERM')).toBe(0);
      for (const file of files) {
        rmSync(join(folder, file), { recursive: true });
        cpSync(join(copy, file), join(folder, file), { recursive: true });
      }
      const refused = await start(config);
      expect(refused.url).toBeUndefined();
      expect(refused.said).toContain('FRESHNESS_STATE_OLDER');
      expect(refused.said).toContain('next: Restore the newest copy');
      expect(await refused.end('SIGTERM')).toBe(5);
      const adopted = await start(config, '--adopt-state');
      expect(adopted.said).toContain('listening');
      expect(await adopted.end('SIGTERM')).toBe(0);
      expect(await (await start(config)).end('SIGTERM')).toBe(0);
    },
  );
});
