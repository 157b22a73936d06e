import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mustRun, startCli, type CliProcess } from './cli.ts';

export const defaultModel: string = fileURLToPath(new URL('../../models/triage/triage.gguf', import.meta.url));

/** A home under a temporary folder with a sealed model; services are started from it as processes. */
export interface World {
  readonly home: string;
  readonly modelDir: string;
  start(name: 'broker' | 'enclave' | 'relay', args?: readonly string[]): Promise<Service>;
  /** A copy of the sealed model under another name, for an attack to damage; `edit` gets its folder. */
  copyModel(name: string, edit: (dir: string) => Promise<void>): Promise<string>;
  editJson(path: string, edit: (value: Record<string, unknown>) => void): Promise<void>;
  dispose(): Promise<void>;
}

export interface Service {
  readonly url: string;
  readonly cli: CliProcess;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const anyPort = 'http://127.0.0.1:0';

function worldAt(home: string, modelId: string): World {
  const services: Service[] = [];
  return {
    home,
    modelDir: join(home, 'models', modelId),
    async start(name, args = []) {
      const listen = args.includes('--listen') ? [] : ['--listen', anyPort];
      const cli = startCli(home, [name, ...listen, ...args]);
      const service: Service = {
        url: String((await cli.waitFor((event) => event['event'] === 'listening'))['url']),
        cli,
        stop: async (signal) => void (await cli.stop(signal)),
      };
      services.push(service);
      return service;
    },
    async copyModel(name, edit) {
      const dir = join(home, 'models', name);
      await cp(join(home, 'models', modelId), dir, { recursive: true });
      await edit(dir);
      return dir;
    },
    async editJson(path, edit) {
      const file = join(home, path);
      const value = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
      edit(value);
      await writeFile(file, JSON.stringify(value));
    },
    async dispose() {
      for (const service of services.toReversed()) await service.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** init and seal; `release` also signs and collects two approvals. */
export async function createWorld(
  options: { release?: boolean; source?: string; modelId?: string } = {},
): Promise<World> {
  const { source = defaultModel, modelId = 'triage' } = options;
  const home = await mkdtemp(join(tmpdir(), 'fastness-attack-'));
  const path = join(home, 'home');
  await mustRun(path, ['init']);
  await mustRun(path, ['seal', '--model-id', modelId, source]);
  const world = worldAt(path, modelId);
  if (options.release !== false) await signAndApprove(world);
  return {
    ...world,
    async dispose() {
      await world.dispose();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export async function signAndApprove(
  world: World,
  args: readonly string[] = [],
): Promise<{ releaseDigest: string; version: number }> {
  const signed = await mustRun(world.home, ['sign', ...args]);
  for (const approver of ['alice', 'bob']) await mustRun(world.home, ['approve', '--as', approver]);
  const event = signed.events.find((entry) => entry['event'] === 'release-signed');
  return { releaseDigest: String(event?.['releaseDigest']), version: Number(event?.['version']) };
}

/** Broker (with the release published), enclave and relay of one world, all running. */
export interface Stack {
  readonly broker: Service;
  readonly enclave: Service;
  readonly relay: Service;
}

export async function startStack(world: World, options: { relayArgs?: readonly string[] } = {}): Promise<Stack> {
  const broker = await world.start('broker');
  await mustRun(world.home, ['publish', '--url', broker.url]);
  const enclave = await world.start('enclave', ['--broker', broker.url]);
  const relay = await world.start('relay', ['--upstream', enclave.url, ...(options.relayArgs ?? [])]);
  return { broker, enclave, relay };
}
