import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { loadBrokerConfig } from '../../broker/src/config.ts';
import { parseBrokerPolicy } from '@fastness/broker';
import { parseClientPolicy } from '@fastness/client';
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { parseAllDocuments } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initCommand } from '../src/commands/init.ts';
import { policyCommand } from '../src/commands/policy.ts';
import { loadPolicy } from '../src/support/attest/policy-file.ts';
import { runInProcess } from './support/in-process.ts';

const repository = join(import.meta.dirname, '../../..');
const deploy = join(repository, 'deploy');
const platforms = ['aws', 'azure', 'bare-metal', 'gcp', 'kubernetes'];
const files = readdirSync(deploy, { recursive: true, encoding: 'utf8' })
  .map((path) => join(deploy, path))
  .filter((path) => statSync(path).isFile());
const named = (pattern: RegExp): string[] => files.filter((path) => pattern.test(basename(path))).toSorted();
const text = (path: string): string => readFileSync(path, 'utf8');
const short = (path: string): string => relative(repository, path);
const docs = join(repository, 'docs');
const pages = [
  ...named(/^README\.md$/),
  join(repository, 'README.md'),
  ...readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(docs, name)),
];
const policies = named(/^policy.*\.yaml$/);

/** A program that is not on every machine; the skipped test says which. */
function present(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

let folder: string;
let home: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fastness-deploy-'));
  home = join(folder, 'home');
  const made = await runInProcess(initCommand, home, [
    'init',
    '--tee',
    'auto',
    '--approvers',
    'a,b',
    '--threshold',
    '2',
  ]);
  expect(made).toMatchObject({ exitCode: 0, code: undefined });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the command lines of recipes and pages', () => {
  let commands: Map<string, Command>;
  beforeAll(async () => {
    const source = join(import.meta.dirname, '../src/commands');
    const made = await Promise.all(
      readdirSync(source).map(async (file) => {
        const module: Record<string, unknown> = await import(join(source, file));
        const makers = Object.entries(module).filter(([name]) => name.endsWith('Command'));
        return makers.flatMap(([, make]) =>
          typeof make === 'function' && make.length === 0 ? [make() as Command] : [],
        );
      }),
    );
    commands = new Map(made.flat().map((command) => [command.name(), idle(command)]));
  });

  const lines = [
    ...pages.flatMap((path) => shellLines(text(path)).map((line) => [short(path), line] as const)),
    ...named(/\.service$/).flatMap((path) =>
      [...text(path).matchAll(/^ExecStart=.*\/cli\/src\/main\.ts (.*)$/gm)].map(
        ([, rest = '']) => [short(path), `fastness ${rest}`] as const,
      ),
    ),
  ];
  const own = lines.filter(([, line]) => line.startsWith('fastness '));

  it('are many, and there are some for every platform', () => {
    expect(own.length).toBeGreaterThan(40);
    for (const platform of platforms) expect(own.map(([path]) => path)).toContain(`deploy/${platform}/README.md`);
  });

  it.each(own)('exist: %s: %s', (_path, line) => {
    // A variable that holds the key of a witness stands for one.
    const filled = line
      .replaceAll(/\$KEY\d/g, `w.example+01234567+${'A'.repeat(44)}`)
      .replaceAll('$RELEASE_DIGEST', 'ab'.repeat(32));
    const words = splitWords(filled).slice(1);
    // What stands before the command belongs to the program.
    for (;;) {
      if (words[0] === '--home') words.splice(0, 2);
      else if (words[0] === '--json') words.shift();
      else break;
    }
    const command = commands.get(words[0] ?? '');
    expect(command, `no command ${words[0]}`).toBeDefined();
    const parse = (): unknown => command?.parse(words.slice(1), { from: 'user' });
    expect(parse).not.toThrow();
  });

  it.each(['services/fastness-relay.service', 'kubernetes/relay.yaml'])(
    'of the relay have options of its program: %s',
    (file) => {
      const [, rest = ''] = text(join(deploy, file)).split('/opt/fastness/apps/relay/src/main.ts');
      const given = [...rest.matchAll(/(?:^|\s)--([a-z-]+)(?=\s)/g)].map(([, name]) => name);
      expect(given).toEqual(['listen', 'upstream']);
      const program = text(join(repository, 'apps/relay/src/main.ts'));
      for (const name of given) expect(program).toContain(`${name}: { type: 'string'`);
    },
  );

  it('would be found out by an option that does not exist, and by an argument too few', () => {
    const verify = commands.get('verify');
    expect(() => verify?.parse(['http://127.0.0.1', '--polcy', 'x'], { from: 'user' })).toThrow(CommanderError);
    expect(() => verify?.parse([], { from: 'user' })).toThrow(CommanderError);
    expect(() => commands.get('policy')?.parse(['chek', 'x'], { from: 'user' })).toThrow(CommanderError);
  });

  it.each(lines.filter(([, line]) => line.startsWith('npm run image ')))('build images: %s: %s', (_path, line) => {
    const source = text(join(deploy, 'image/build.ts'));
    const options = [...source.matchAll(/^ {6}'?([a-z-]+)'?: \{ type: 'string'/gm)].map(([, name]) => `--${name}`);
    expect(options.length).toBeGreaterThan(10);
    const given = splitWords(line).filter((word) => word.startsWith('--') && word !== '--');
    expect(given.filter((option) => !options.includes(option))).toEqual([]);
  });

  it.each(platforms)('end with the enclave being verified, before it is taken down: %s', (platform) => {
    const [before = '', after] = text(join(deploy, platform, 'README.md')).split('## Taking it down');
    expect(after).toContain('fastness revoke ');
    const last = shellLines(before).findLast((line) => line.startsWith('fastness '));
    expect(last).toMatch(/^fastness verify /);
  });
});

describe('the policies of the recipes', () => {
  it('are there for every platform', () => {
    expect(new Set(policies.map((path) => basename(dirname(path))))).toEqual(new Set(platforms));
  });

  it.each(policies.map((path) => [short(path), path]))(
    'are valid, waive nothing and accept no simulation: %s',
    async (_, path) => {
      const { policy, kind } = await loadPolicy(path, new Date());
      expect(kind).toBe('attestation');
      // Debugging and missing lists are refused unless a waiver names them.
      expect(policy.waivers).toEqual([]);
      expect(policy.simulated).toBeUndefined();
      expect(policies.filter((other) => text(other).includes(`\nid: ${policy.id}\n`))).toHaveLength(1);
    },
  );

  it('are taken into both policies of a home, which keep everything else', async () => {
    const read = () =>
      ['broker', 'client'].map(
        (name) => JSON.parse(text(join(home, `policy/${name}.json`))) as Record<string, unknown>,
      );
    const before = read();
    for (const path of policies) {
      const taken = await runInProcess(policyCommand, home, ['policy', 'use', path]);
      expect(taken).toMatchObject({ exitCode: 0, code: undefined });
      const [broker = {}, client = {}] = read();
      const { policy } = await loadPolicy(path, new Date());
      expect(parseBrokerPolicy(broker).policy.attestation).toEqual(policy);
      expect(parseClientPolicy(client).attestation).toEqual(policy);
      for (const [index, now] of [broker, client].entries()) {
        expect({ ...now, attestation: undefined }).toEqual({ ...before[index], attestation: undefined });
      }
    }
    const kept = read();
    const bad = join(folder, 'bad.yaml');
    writeFileSync(bad, 'version: 1\nid: x\nsnap: {}\nwaivers: []\n');
    expect(await runInProcess(policyCommand, home, ['policy', 'use', bad])).toMatchObject({
      code: 'ATTEST_POLICY_INVALID',
    });
    expect(await runInProcess(policyCommand, join(folder, 'none'), ['policy', 'use', bad])).toMatchObject({
      code: 'CLI_HOME_MISSING',
    });
    expect(read()).toEqual(kept);
  });
});

describe('the files of the recipes', () => {
  const yaml = named(/\.yaml$/);
  it.each(yaml.map((path) => [short(path), path]))('are YAML: %s', (_, path) => {
    const documents = parseAllDocuments(text(path), { strict: true, uniqueKeys: true });
    expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
    expect(documents.flatMap(({ warnings }) => warnings)).toEqual([]);
  });

  it('tell a cloud machine to install what the checkout has', () => {
    const cloudInit = text(join(deploy, 'services/cloud-init.yaml'));
    expect(cloudInit).toMatch(/^#cloud-config\n/);
    expect(cloudInit).toContain('/opt/fastness/deploy/services/fastness-*.service');
  });

  it('configure a broker that takes its configuration', async () => {
    const copy = join(folder, 'broker');
    mkdirSync(copy);
    cpSync(join(deploy, 'kubernetes/broker.json'), join(copy, 'broker.json'));
    cpSync(join(home, 'policy/broker.json'), join(copy, 'policy.json'));
    const config = await loadBrokerConfig(join(copy, 'broker.json'));
    expect(config).toMatchObject({ rcar: { maxSessions: 20_000 }, listen: { port: 7801 } });
    expect(config.listen.tls).toBeDefined();
  });

  it.each(named(/\.sh$/).map((path) => [short(path), path]))(
    'are scripts that say what they would start: %s',
    (_, path) => {
      const image = join(folder, 'image');
      mkdirSync(image, { recursive: true });
      writeFileSync(join(image, 'cmdline'), 'console=ttyS0 panic=-1');
      const env = { PATH: process.env['PATH'], IMAGE: image, QEMU: 'echo', GPU: '0000:41:00.0' };
      const said = execFileSync('sh', [path], { env, encoding: 'utf8' });
      expect(said).toContain(`-kernel ${image}/vmlinuz -initrd ${image}/initrd.img -append console=ttyS0 panic=-1 `);
      expect(said).toContain('vfio-pci,host=0000:41:00.0');
      expect(said).toContain('confidential-guest-support=');
      expect(said).not.toMatch(/debug/i);
      expect(execFileSync('sh', [path], { env: { ...env, GPU: '' }, encoding: 'utf8' })).not.toContain('vfio');
    },
  );

  it.skipIf(!present('systemd-analyze', '--version'))('are units that systemd reads (systemd-analyze)', (context) => {
    const units = named(/\.service$/).map((path) => {
      const copy = join(folder, basename(path));
      // Only the program has to be there; the checkout is elsewhere.
      writeFileSync(copy, text(path).replace('/opt/fastness/node_modules/.bin/node', process.execPath));
      return copy;
    });
    const verify = (...paths: string[]): string[] =>
      spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], { encoding: 'utf8' })
        .stderr.split('\n')
        .filter((line) => line.includes('fastness'));
    const broken = join(folder, 'fastness-broken.service');
    writeFileSync(broken, '[Service]\nExecStrat=/bin/true\n');
    if (verify(broken).length === 0) context.skip('systemd-analyze cannot verify units on this machine');
    expect(verify(...units)).toEqual([]);
  });

  it.skipIf(!present('terraform', 'version'))('are Terraform as terraform writes it (terraform fmt)', () => {
    const { status, stdout } = spawnSync('terraform', ['fmt', '-check', '-recursive', deploy], { encoding: 'utf8' });
    expect(`${status} ${stdout}`).toBe('0 ');
  });

  it.skipIf(!present('kubectl', 'version', '--client'))('are what kubectl puts together (kubectl kustomize)', () => {
    const copy = join(folder, 'kubernetes');
    cpSync(join(deploy, 'kubernetes'), copy, { recursive: true });
    writeFileSync(join(copy, 'policy.json'), '{}');
    const built = parseAllDocuments(execFileSync('kubectl', ['kustomize', copy], { encoding: 'utf8' })).map(
      (document) => document.toJS() as { kind: string; metadata: { name: string; namespace?: string } },
    );
    const kinds = built.map(({ kind }) => kind).toSorted();
    expect(kinds).toEqual(
      ['ConfigMap', 'Deployment', 'Namespace', 'NetworkPolicy', 'Pod', 'Service', 'Service', 'StatefulSet'].toSorted(),
    );
    expect(
      built.filter(({ kind }) => kind !== 'Namespace').every(({ metadata }) => metadata.namespace === 'fastness'),
    ).toBe(true);
  });
});

/** The command with all its subcommands, which do nothing: what is left is how it reads its arguments. */
function idle(command: Command): Command {
  for (const subcommand of command.commands) idle(subcommand);
  if (command.commands.length === 0) command.action(() => {});
  return command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
}

/** Lines of the shell blocks of a page, continued ones joined. */
function shellLines(page: string): string[] {
  return [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) =>
    block
      .replaceAll(/\\\n\s*/g, ' ')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#')),
  );
}

/** Words of one command: what a shell would hand over, up to a pipe, a comment or a second command. */
function splitWords(line: string): string[] {
  const words: string[] = [];
  for (const [, single, double, plain] of line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)) {
    const word = single ?? double ?? plain ?? '';
    if (plain !== undefined && /^(?:\||&&|>|#)/.test(plain)) break;
    words.push(word);
  }
  return words;
}
