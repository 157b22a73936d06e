import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { verifyLease } from '@fastness/channel';
import { challengeSchema, keyReleaseResponseSchema } from '@fastness/channel/wire';
import { fromBase64Url } from '@fastness/codec/bytes';
import { FastnessError } from '@fastness/codec/errors';
import type { DatabaseLocation } from '../../src/index.ts';
import { attest, createEnclave, type TestEnclave } from '../enclave.ts';
import { rolldown } from 'rolldown';
import { freshPath } from '../fresh-path.ts';
import { adminToken, dawn, passphrase, sha256, type TestRelease, type World } from '../world.ts';
import type { BrokerProcessOptions } from './broker-process.ts';
import type { Ledger } from './ledger.ts';

const source = fileURLToPath(new URL('broker-process.ts', import.meta.url));

/** Puts the program of the broker's process into one file in `directory`: it starts several times as fast. */
export async function bundleBrokerProcess(directory: string): Promise<string> {
  const file = join(directory, 'broker-process.mjs');
  const bundle = await rolldown({
    input: source,
    platform: 'node',
    resolve: { conditionNames: ['source', 'node', 'default'] },
    external: [/^koffi/, /^pg-native/],
    logLevel: 'silent',
  });
  await bundle.write({ file, format: 'esm', codeSplitting: false });
  await bundle.close();
  return file;
}

/** A broker in a process of its own. */
export interface BrokerProcess {
  readonly instance: string;
  /** Where it listens; undefined while it does not. */
  url: string | undefined;
  /** Starts it, or throws what it said instead. */
  start(): Promise<void>;
  /** kill -9. */
  kill(): Promise<void>;
  /** Lets it end by itself, so that its log is published. */
  stop(): Promise<void>;
  /** The key of its log, once it was started. */
  logKey: string | undefined;
  readonly auditPath: string;
  /** What it reported about errors since it was made. */
  readonly errors: string[];
}

export function createBrokerProcess(options: {
  /** Of `bundleBrokerProcess`. */
  program: string;
  world: World;
  ledger: Ledger;
  location: DatabaseLocation;
  anchor: string;
  instance: string;
  auditPath: string;
  base: number;
  anchorEveryMs?: number;
}): BrokerProcess {
  const { program, world, ledger, location, anchor, instance, auditPath, base, anchorEveryMs } = options;
  const file = freshPath(world.directory, 'process');
  writeFileSync(
    file,
    JSON.stringify({
      location,
      anchor,
      instance,
      auditPath,
      keyStorePath: world.keyStorePath,
      passphrase: new TextDecoder().decode(passphrase),
      policy: world.policy,
      anchors: world.anchors,
      adminTokenSha256: sha256(adminToken),
      dawn: dawn.getTime(),
      base,
      ...(anchorEveryMs === undefined ? {} : { anchorEveryMs }),
    } satisfies BrokerProcessOptions),
    { mode: 0o600 },
  );
  let child: ChildProcess | undefined;
  let closed: Promise<unknown> = Promise.resolve();
  const process_: BrokerProcess = {
    instance,
    auditPath,
    logKey: undefined,
    url: undefined,
    errors: [],
    async start() {
      const started = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, file], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_COMPILE_CACHE: join(world.directory, 'compiled') },
      });
      child = started;
      closed = once(started, 'close');
      await new Promise<void>((resolve, reject) => {
        createInterface({ input: started.stdout }).on('line', (line) => {
          const [what, ...rest] = line.split(' ');
          if (what === 'url') {
            process_.url = rest[0];
            resolve();
          } else if (what === 'log') process_.logKey = rest.join(' ');
          else if (what === 'anchor') {
            ledger.anchor = Math.max(ledger.anchor, Number(rest[0]));
            ledger.anchorSteps += 1;
          } else if (what === 'failed') reject(new Error(rest.join(' ')));
          else process_.errors.push(line);
        });
        started.once('close', () => {
          reject(new Error('the broker ended before it listened'));
        });
      });
    },
    async kill() {
      process_.url = undefined;
      child?.kill('SIGKILL');
      await closed;
    },
    async stop() {
      process_.url = undefined;
      child?.kill('SIGTERM');
      await closed;
    },
  };
  return process_;
}

/** Clients of all brokers at once: they take any that runs, and write down what was acknowledged. */
export interface Load {
  stop(): Promise<void>;
  /** Codes of refusals, and how often. */
  readonly refusals: Map<string, number>;
}

export function startLoad(options: {
  world: World;
  ledger: Ledger;
  brokers: readonly BrokerProcess[];
  /** The release to ask for: the newest that is known to be registered. */
  release: () => TestRelease | undefined;
  /** Registered while everything else goes on. */
  next?: () => { release: TestRelease; modelId: string; version: number } | undefined;
  clients?: number;
}): Load {
  const { world, ledger, brokers, clients = 4 } = options;
  const refusals = new Map<string, number>();
  const clock = { running: true };
  let revocations = ledger.revoked.size;

  /** An answer, or undefined when there was none: then nothing was acknowledged. */
  const post = async (
    path: string,
    json: unknown,
    { method = 'POST', token }: { method?: string; token?: string } = {},
  ): Promise<{ status: number; body: unknown } | undefined> => {
    const up = brokers.filter(({ url }) => url !== undefined);
    const one = up[Math.floor(Math.random() * up.length)];
    if (one?.url === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return undefined;
    }
    try {
      const response = await fetch(`${one.url}${path}`, {
        method,
        headers: {
          'content-type': 'application/json',
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify(json),
      });
      const body: unknown = await response.json();
      if (response.status !== 200) {
        const code = FastnessError.fromProblem(body)?.code ?? `status ${response.status}`;
        refusals.set(code, (refusals.get(code) ?? 0) + 1);
      }
      return { status: response.status, body };
    } catch {
      return undefined;
    }
  };

  const askForNonce = async (): Promise<string | undefined> => {
    const answer = await post('/v1/challenges', {});
    if (answer?.status !== 200) return undefined;
    const { nonce } = challengeSchema.parse(answer.body);
    ledger.issued.set(nonce, performance.now());
    ledger.acknowledged += 1;
    return nonce;
  };

  /** Asks for a key, or renews `leaseId`; the id of the lease when it was granted. */
  const attestOnce = async (
    enclave: TestEnclave,
    release: TestRelease,
    leaseId?: string,
  ): Promise<string | undefined> => {
    const nonce = await askForNonce();
    if (nonce === undefined) return undefined;
    const request = await attest({
      world,
      enclave,
      release,
      nonce,
      ...(leaseId === undefined ? {} : { leaseId }),
    });
    const answer = await post('/v1/key-releases', request);
    if (answer === undefined || answer.status >= 500) return undefined;
    ledger.spent.set(nonce, performance.now());
    if (answer.status !== 200) return undefined;
    const { lease } = keyReleaseResponseSchema.parse(answer.body);
    const claims = await verifyLease({
      lease: fromBase64Url(lease),
      brokerKey: world.brokerKey,
      expected: {
        releaseDigest: release.digest,
        keyConfigDigest: enclave.keyConfigDigest,
        enclaveNonce: fromBase64Url(request.enclaveNonce),
      },
    });
    ledger.acknowledged += 1;
    if (leaseId === undefined) ledger.leases.set(claims.leaseId, { renewals: 0 });
    const known = ledger.leases.get(claims.leaseId);
    if (leaseId !== undefined && known !== undefined) known.renewals += 1;
    return claims.leaseId;
  };

  const enclaveLoop = async (): Promise<void> => {
    const enclave = await createEnclave();
    while (clock.running) {
      const release = options.release();
      if (release === undefined) {
        await askForNonce();
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      const leaseId = await attestOnce(enclave, release);
      // Several at a time: what counts renewals must count each of them.
      if (leaseId !== undefined) await Promise.all([1, 2].map(() => attestOnce(enclave, release, leaseId)));
    }
  };
  const administratorLoop = async (): Promise<void> => {
    while (clock.running) {
      const coming = options.next?.();
      if (coming !== undefined) {
        const { package: releasePackage, keys, digestHex } = coming.release;
        const answer = await post(
          '/v1/admin/releases',
          { package: releasePackage, keys },
          { method: 'PUT', token: adminToken },
        );
        if (answer?.status === 200) {
          ledger.registered.set(digestHex, { modelId: coming.modelId, version: coming.version });
          ledger.acknowledged += 1;
        }
      }
      revocations += 1;
      const value = `csp-id:gone-${revocations}`;
      const answer = await post(
        '/v1/admin/revocations',
        { kind: 'platform', value, reason: 'a test' },
        { token: adminToken },
      );
      if (answer?.status === 200) {
        ledger.revoked.add(value);
        ledger.acknowledged += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const strangerLoop = async (): Promise<void> => {
    while (clock.running) {
      await askForNonce();
      await post('/v1/key-releases', { nonsense: true });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  const loops = [...Array.from({ length: clients }, enclaveLoop), administratorLoop(), strangerLoop()];
  return {
    refusals,
    async stop() {
      clock.running = false;
      await Promise.all(loops);
    },
  };
}
