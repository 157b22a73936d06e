import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCli, type CliProcess, type CliResult } from '../../../attacks/support/cli.ts';
import { defaultModel } from '../../../attacks/support/world.ts';
import { approveCommand } from '../src/commands/approve.ts';
import { cardCommand } from '../src/commands/card.ts';
import { enclaveCommand } from '../src/commands/enclave.ts';
import { initCommand } from '../src/commands/init.ts';
import { publishCommand } from '../src/commands/publish.ts';
import { rotateCommand } from '../src/commands/rotate.ts';
import { sealCommand } from '../src/commands/seal.ts';
import { signCommand } from '../src/commands/sign.ts';
import { verifyCommand } from '../src/commands/verify.ts';
import { runInProcess } from './support/in-process.ts';

const anyPort = 'http://127.0.0.1:0';
/** Homes of the brokers. The first is the owner's, who also runs the enclave. */
const names = ['owner', 'two', 'three'];

describe('a model whose key three brokers share', { timeout: 600_000 }, () => {
  let folder: string;
  const running: CliProcess[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-shared-'));
  });
  afterAll(async () => {
    for (const service of running.toReversed()) await service.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const home = (name: string): string => join(folder, name);
  const run = (make: () => Command, name: string, args: readonly string[]): Promise<CliResult> =>
    runInProcess(make, home(name), args);
  const must = async (make: () => Command, name: string, args: readonly string[]): Promise<CliResult['events']> => {
    const { exitCode, events, stderr } = await run(make, name, args);
    expect(exitCode, JSON.stringify(events) + stderr).toBe(0);
    return events;
  };
  const start = async (name: string, args: readonly string[]): Promise<{ url: string; cli: CliProcess }> => {
    const cli = startCli(home(name), [...args, '--listen', anyPort]);
    running.push(cli);
    const { url } = await cli.waitFor(({ event }) => event === 'listening', 300_000);
    return { url: String(url), cli };
  };

  it('is sealed to their cards, published to each, and opens while two of them run', async () => {
    await must(initCommand, 'owner', ['init', '--approvers', 'alice', '--threshold', '1']);
    const cards: string[] = [];
    for (const name of names) {
      if (name !== 'owner') {
        await must(initCommand, name, ['init', '--tee', 'auto', '--approvers', 'alice', '--threshold', '1']);
        // Each operator writes a policy of its own; here they all begin with that of the owner.
        await copyFile(join(home('owner'), 'policy/broker.json'), join(home(name), 'policy/broker.json'));
      }
      const card = join(folder, `${name}.json`);
      const [written] = await must(cardCommand, name, ['card', '--out', card]);
      expect(written).toMatchObject({ event: 'card-written', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) });
      cards.push(card);
    }
    // Asked again, it is the same card.
    const again = join(folder, 'again.json');
    await must(cardCommand, 'two', ['card', '--out', again]);
    expect(await readFile(again, 'utf8')).toBe(await readFile(cards[1] ?? '', 'utf8'));

    const seal = ['seal', defaultModel, '--model-id', 'shared', '--share-with'];
    const refused = async (args: readonly string[]): Promise<string | undefined> =>
      (await run(sealCommand, 'owner', args)).code;
    expect(await refused([...seal, ...cards])).toBe('CLI_USAGE');
    expect(await refused([...seal, ...cards, '--threshold', '4'])).toBe('CLI_USAGE');
    expect(await refused([...seal, ...cards, '--threshold', '1'])).toBe('CLI_USAGE');
    const changed = join(folder, 'changed.json');
    await writeFile(
      changed,
      (await readFile(cards[0] ?? '', 'utf8')).replace(/"brokerKey": "(.*?).{4}"/, '"brokerKey": "$1AAAA"'),
    );
    expect(await refused([...seal, changed, ...cards.slice(1), '--threshold', '2'])).toBe('CARD_SIGNATURE');

    const sealed = (await must(sealCommand, 'owner', [...seal, ...cards, '--threshold', '2'])).at(-1);
    expect(sealed).toMatchObject({ event: 'model-sealed', keyShares: { threshold: 2 } });
    const model = join(home('owner'), 'models/shared');
    const keys = await readFile(join(model, 'keys.json'), 'utf8');
    expect(JSON.parse(keys)).toMatchObject({ format: 'fastness/key-shares/v1', shares: [{ index: 1 }, {}, {}] });
    await must(signCommand, 'owner', ['sign']);
    await must(approveCommand, 'owner', ['approve', '--as', 'alice']);

    const brokers = await Promise.all(names.map(async (name) => start(name, ['broker'])));
    const urls = brokers.map(({ url }) => url);
    for (const [at, name] of names.entries())
      await must(publishCommand, name, ['publish', '--sealed', model, '--url', urls[at] ?? '']);
    // Each rotates what wraps its share by itself.
    const rotation = ['rotate', '--wrapping-key', 'model-kek', '--retire-old', '--url', urls[1] ?? ''];
    expect(await must(rotateCommand, 'two', rotation)).toMatchObject([
      { event: 'rotated', version: 2, rewrapped: 1 },
      { event: 'minimum-raised' },
    ]);
    expect((await run(rotateCommand, 'owner', ['rotate', '--url', urls[0] ?? ''])).code).toBe('MODEL_KEY_SHARED');

    // Nothing is asked of it before the addresses make sense.
    for (const addresses of [[urls[0]], ['4=http://127.0.0.1:1', urls[0]], [`1=${urls[0]}`, `1=${urls[1]}`]]) {
      const args = addresses.flatMap((url) => ['--broker', url ?? '']);
      expect((await run(enclaveCommand, 'owner', ['enclave', ...args])).code).toBe('CLI_USAGE');
    }
    // The first is gone before the enclave ever asks.
    await brokers[0]?.cli.stop('SIGKILL');
    const enclave = await start('owner', ['enclave', ...urls.flatMap((url) => ['--broker', url])]);
    // A client that wants this very deployment is shown the leases of the two brokers that are left.
    const policy = join(home('owner'), 'policy/client.json');
    const text = JSON.parse(await readFile(policy, 'utf8')) as object;
    await writeFile(policy, JSON.stringify({ ...text, deployment: 'this-deployment' }));
    const verified = await must(verifyCommand, 'owner', ['verify', enclave.url]);
    expect(verified).toContainEqual(
      expect.objectContaining({
        event: 'enclave-verified',
        deployment: 'this-deployment',
        lease: expect.objectContaining({ shares: [2, 3] }) as unknown,
      }),
    );
    const log = enclave.cli.stderr();
    expect(log).toMatch(/"event":"share-received","share":2/);
    expect(log).toMatch(/"event":"share-received","share":3/);
    expect(log).not.toMatch(/"event":"share-received","share":1/);
  });
});
