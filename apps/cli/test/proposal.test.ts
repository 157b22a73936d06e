import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../../../attacks/support/cli.ts';
import type { Command } from 'commander';
import { parseBrokerPolicy, startBroker, type Broker } from '@fastness/broker';
import { sealModel } from '@fastness/model';
import { approveCommand } from '../src/commands/approve.ts';
import { initCommand } from '../src/commands/init.ts';
import { keysCommand } from '../src/commands/keys.ts';
import { proposalCommand } from '../src/commands/proposal.ts';
import { publishCommand } from '../src/commands/publish.ts';
import { revokeCommand } from '../src/commands/revoke.ts';
import { rotateCommand } from '../src/commands/rotate.ts';
import { signCommand } from '../src/commands/sign.ts';
import { homeAt, readHomeConfig, writeJson } from '../src/support/home.ts';
import { homeQuorum } from '../src/support/quorum.ts';
import { keyIds, openStore } from '../src/support/stores.ts';
import { runInProcess } from './support/in-process.ts';

describe('several people and one broker', { timeout: 120_000 }, () => {
  let folder: string;
  let home: string;
  let broker: Broker | undefined;
  const stores = new AsyncDisposableStack();
  const proposal = (...args: string[]): Promise<CliResult> =>
    runInProcess(proposalCommand, home, ['proposal', ...args]);
  const toBroker = (): string[] => ['--url', broker?.url ?? ''];
  const idOf = ({ events }: CliResult): string => String(events.find(({ id }) => id !== undefined)?.['id']);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-proposal-'));
    home = join(folder, 'home');
    const run = async (make: () => Command, ...args: string[]): Promise<void> => {
      const result = await runInProcess(make, home, args);
      expect(result.exitCode, `${args[0]} ${result.code ?? ''} ${result.stderr}`).toBe(0);
    };
    await run(initCommand, 'init', '--tee', 'auto');
    await mkdir(join(folder, 'model'));
    // The smallest file that is a model by its format: the header of a GGUF file.
    await writeFile(
      join(folder, 'model/model.gguf'),
      Buffer.concat([Buffer.from('GGUF'), Buffer.of(3, 0, 0, 0), Buffer.alloc(16)]),
    );
    {
      await using kek = await openStore(homeAt(home), 'kek');
      await sealModel({
        source: join(folder, 'model'),
        target: join(home, 'models/tiny'),
        modelId: 'tiny',
        engine: 'llama',
        task: 'generate',
        keyStore: kek,
        kekId: keyIds.kek,
      });
      await writeJson(homeAt(home).configFile, { ...(await readHomeConfig(homeAt(home))), defaultModel: 'tiny' });
    }
    await run(signCommand, 'sign', '--measurement', 'ab'.repeat(48));
    for (const name of ['alice', 'bob']) await run(approveCommand, 'approve', '--as', name);
    const file = join(home, 'policy/quorum.json');
    await run(
      proposalCommand,
      'proposal',
      'members',
      '--approvers',
      'alice,bob,carol',
      '--threshold',
      '2',
      '--file',
      file,
    );
    const at = homeAt(home);
    const keyStore = stores.use(await openStore(at, 'kek'));
    const signer = stores.use(await openStore(at, 'broker'));
    const policy: unknown = JSON.parse(await readFile(at.brokerPolicyFile, 'utf8'));
    broker = await startBroker({
      listen: { host: '127.0.0.1', port: 0 },
      databasePath: join(folder, 'broker.db'),
      auditPath: join(folder, 'audit.log'),
      keyStore,
      signer: { keyStore: signer, keyId: keyIds.broker },
      policy: parseBrokerPolicy(policy).policy,
      ...(await homeQuorum(at)),
      adminTokenSha256: createHash('sha256')
        .update((await readFile(at.adminTokenFile, 'utf8')).trim())
        .digest('hex'),
    });
  });
  afterAll(async () => {
    await broker?.close();
    await stores.disposeAsync();
    await rm(folder, { recursive: true, force: true });
  });

  it('publish, rotate and revoke a release together', async () => {
    const alone = await runInProcess(publishCommand, home, ['publish', ...toBroker()]);
    expect(alone).toMatchObject({ exitCode: 5, code: 'QUORUM_REQUIRED' });

    const made = await proposal('create', 'release', '--reason', 'the first', ...toBroker());
    expect(made.exitCode, made.stderr).toBe(0);
    const id = idOf(made);
    expect(await proposal('execute', id, ...toBroker())).toMatchObject({ code: 'QUORUM_APPROVALS_MISSING' });
    const shown = await proposal('show', id, ...toBroker());
    expect(shown.events).toMatchObject([{ state: 'pending', reason: 'the first' }]);
    expect(JSON.stringify(shown.events)).toContain('Register release tiny v1');
    for (const name of ['alice', 'carol']) {
      const approved = await proposal('approve', id, '--as', name, ...toBroker());
      expect(approved.events).toMatchObject([{ event: 'proposal-approved', member: name }]);
    }
    expect(await proposal('approve', id, '--as', 'alice', ...toBroker())).toMatchObject({
      code: 'QUORUM_ALREADY_APPROVED',
      exitCode: 8,
    });
    expect((await proposal('list', ...toBroker())).events).toMatchObject([{ proposals: [{ id, state: 'approved' }] }]);
    expect((await proposal('execute', id, ...toBroker())).events).toMatchObject([{ id, state: 'succeeded' }]);
    expect((await proposal('list', ...toBroker())).events).toMatchObject([{ proposals: [] }]);

    const rotated = await runInProcess(rotateCommand, home, ['rotate', '--retire-old', ...toBroker()]);
    expect(rotated.events, rotated.stderr).toMatchObject([
      { event: 'rotated', version: 2, resumed: false },
      { event: 'minimum-raised', minimumVersion: 2 },
    ]);
    expect(await readFile(join(home, 'models/tiny/keys.json'), 'utf8')).toContain('"keyVersion": 2');

    const digest = String(rotated.events[0]?.['releaseDigest']);
    const revoke = (...args: string[]): Promise<CliResult> =>
      runInProcess(revokeCommand, home, ['revoke', 'release', digest, ...args, ...toBroker()]);
    expect((await revoke('--dry-run')).events).toMatchObject([{ dryRun: true, value: digest, leases: [] }]);
    expect(await revoke()).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
    expect((await revoke('--reason', 'test')).events).toMatchObject([{ event: 'revoked', runningLeases: 0 }]);
    const again = await runInProcess(rotateCommand, home, ['rotate', ...toBroker()]);
    expect(again.exitCode).toBe(0);
  });

  it('let one of them disable a wrapping key at the broker, and none destroy it alone', async () => {
    const keys = (...args: string[]): Promise<CliResult> => runInProcess(keysCommand, home, ['keys', ...args]);
    const at = ['--at-broker', ...toBroker()];
    const kek = keyIds.kek;
    expect((await keys('rotate', kek, ...at)).events).toMatchObject([
      { event: 'broker-key-changed', change: 'rotate' },
    ]);
    expect((await keys('disable', kek, ...at)).events).toMatchObject([{ state: 'disabled', runningLeases: 0 }]);
    const shown = (await keys('list', ...at)).events.find(({ event }) => event === 'result');
    expect(shown?.['keys']).toMatchObject([{ keyId: kek, state: 'disabled' }]);
    expect((await keys('enable', kek, ...at)).events).toMatchObject([{ state: 'enabled' }]);
    const destroy = ['destroy', kek, '--confirm', kek];
    expect(await keys(...destroy, ...at)).toMatchObject({ code: 'QUORUM_REQUIRED' });
    expect(await keys(...destroy, ...at, '--now')).toMatchObject({ code: 'CLI_USAGE' });
    expect(await keys('cancel-destruction', kek, ...toBroker())).toMatchObject({ code: 'LIFECYCLE_DESTRUCTION_STATE' });
    expect(await keys('list', '--store', 'owner', ...at)).toMatchObject({ code: 'CLI_USAGE' });
    expect(await keys('list', ...toBroker())).toMatchObject({ code: 'CLI_USAGE' });
  });

  it('cancel, and say what is missing', async () => {
    const made = await proposal(
      'create',
      'key-destruction',
      '--key',
      'model-kek',
      '--delay',
      '7d',
      '--reason',
      'old',
      ...toBroker(),
    );
    expect((await proposal('cancel', idOf(made), ...toBroker())).events).toMatchObject([{ state: 'cancelled' }]);
    expect((await proposal('list', '--all', ...toBroker())).events).toMatchObject([
      { proposals: expect.arrayContaining([expect.objectContaining({ id: idOf(made), state: 'cancelled' })]) },
    ]);
    for (const args of [
      ['create', 'key-destruction', '--reason', 'x'],
      ['create', 'quorum', '--reason', 'x'],
    ])
      expect(await proposal(...args, ...toBroker())).toMatchObject({ exitCode: 2, code: 'CLI_USAGE' });
    const few = ['members', '--approvers', 'alice,bob', '--threshold', '2', '--file', join(folder, 'few.json')];
    expect(await proposal(...few)).toMatchObject({ code: 'QUORUM_INVALID' });
  });
});
