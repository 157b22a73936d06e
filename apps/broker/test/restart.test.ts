import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  loadBrokerConfig,
  startConfiguredBroker,
  verifyAuditLog,
  type Broker,
  type BrokerConfigInput,
} from '../src/index.ts';
import {
  admin,
  attest,
  call,
  challenge,
  createEnclave,
  granted,
  refusalOf,
  requestKey,
  type TestEnclave,
} from './actors.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';
import { adminToken, createWorld, passphrase, sha256, type TestRelease, type World } from './world.ts';

const directory = temporaryDirectory();
let world: World;
let release: TestRelease;
let enclave: TestEnclave;

beforeAll(async () => {
  world = await createWorld(directory);
  release = await world.release({ version: 2 });
  enclave = await createEnclave();
});

interface Place {
  readonly databasePath: string;
  readonly auditPath: string;
}
const freshPlace = (): Place => ({
  databasePath: freshPath(directory, 'database'),
  auditPath: freshPath(directory, 'audit'),
});
const dropDatabase = ({ databasePath }: Place): void => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${databasePath}${suffix}`, { force: true });
};

async function running<T>(place: Place, work: (broker: Broker) => Promise<T>): Promise<T> {
  const broker = await world.start(place);
  try {
    return await work(broker);
  } finally {
    await broker.close();
  }
}

describe('what survives a restart', () => {
  it('nonces, leases, versions, revocations, and a log that goes on', async () => {
    const place = freshPlace();
    const older = await world.release({ version: 1 });
    const before = await running(place, async ({ url }) => {
      await admin.registered(url, older);
      await admin.registered(url, release);
      const used = await attest({ world, enclave, release, nonce: (await challenge(url)).nonce });
      granted(await call(`${url}/v1/key-releases`, { method: 'POST', json: used }));
      const leaseId = String((await admin.audit(url)).at(-1)?.facts['leaseId']);
      await admin.revoke(url, 'platform', 'csp-id:gone');
      return { used, leaseId, waiting: (await challenge(url)).nonce };
    });
    await running(place, async ({ url }) => {
      expect(refusalOf(await call(`${url}/v1/key-releases`, { method: 'POST', json: before.used }))).toBe(
        'BROKER_NONCE_REUSED',
      );
      const { leaseId, waiting: nonce } = before;
      granted(
        await call(`${url}/v1/key-releases`, {
          method: 'POST',
          json: await attest({ world, enclave, release, nonce, leaseId }),
        }),
      );
      expect(refusalOf(await requestKey(url, { world, enclave, release: older }))).toBe('BROKER_VERSION_ROLLBACK');
      const kinds = (await admin.audit(url)).map(({ kind }) => kind);
      expect(kinds.join(' ')).toBe(
        'start approval-seen approval-seen release-registered approval-seen approval-seen release-registered ' +
          'key-released revocation stop start refused lease-renewed refused',
      );
    });
    await verifyAuditLog(place.auditPath);
  });

  it('revocations and versions even when the database is lost or put back to an earlier state', async () => {
    for (const loss of ['lost', 'put back'] as const) {
      const place = freshPlace();
      const older = await world.release({ version: 1 });
      await running(place, async ({ url }) => {
        await admin.registered(url, older);
        await admin.registered(url, release);
      });
      const backup = `${place.databasePath}.backup`;
      renameSync(place.databasePath, backup);
      writeFileSync(place.databasePath, readFileSync(backup));
      await running(place, async ({ url }) => {
        granted(await requestKey(url, { world, enclave, release }));
        await admin.revoke(url, 'release', release.digestHex);
      });
      dropDatabase(place);
      if (loss === 'put back') writeFileSync(place.databasePath, readFileSync(backup));
      await running(place, async ({ url }) => {
        expect(refusalOf(await admin.register(url, release))).toBe('BROKER_RELEASE_REVOKED');
        expect(refusalOf(await admin.register(url, older))).toBe('BROKER_VERSION_ROLLBACK');
      });
    }
  });

  it('versions that were registered and never started, also when the database is lost', async () => {
    for (const loss of ['nothing', 'lost', 'put back'] as const) {
      const place = freshPlace();
      const older = await world.release({ version: 1 });
      const backup = `${place.databasePath}.backup`;
      await running(place, ({ url }) => admin.registered(url, older));
      writeFileSync(backup, readFileSync(place.databasePath));
      await running(place, ({ url }) => admin.registered(url, release));
      if (loss !== 'nothing') dropDatabase(place);
      if (loss === 'put back') writeFileSync(place.databasePath, readFileSync(backup));
      await running(place, async ({ url }) => {
        expect(refusalOf(await admin.register(url, older))).toBe('BROKER_VERSION_ROLLBACK');
        if (loss === 'lost') return;
        expect(refusalOf(await requestKey(url, { world, enclave, release: older }))).toBe('BROKER_VERSION_ROLLBACK');
      });
    }
  });

  it('versions that were registered under a policy that waits for their start', async () => {
    const place = freshPlace();
    const older = await world.release({ version: 1 });
    const waiting = await world.start({ ...place, policy: { ...world.policy, supersede: 'on-release' } });
    await admin.registered(waiting.url, older);
    await admin.registered(waiting.url, release);
    granted(await requestKey(waiting.url, { world, enclave, release: older }));
    await waiting.close();
    await running(place, async ({ url }) => {
      expect(refusalOf(await requestKey(url, { world, enclave, release: older }))).toBe('BROKER_VERSION_ROLLBACK');
    });
  });

  it('not what the log announces and takes back', async () => {
    const place = freshPlace();
    await running(place, async ({ url }) => {
      await admin.registered(url, release);
      const raw = new DatabaseSync(place.databasePath);
      raw.exec("CREATE TRIGGER full BEFORE UPDATE ON audit_heads BEGIN SELECT RAISE(ABORT, 'disk full'); END");
      const answer = await admin.revoke(url, 'release', release.digestHex);
      expect([answer.status, refusalOf(answer)]).toEqual([503, 'BROKER_STORE']);
      const refused = await requestKey(url, { world, enclave, release });
      expect(refusalOf(refused)).toBe('BROKER_STORE');
      raw.exec('DROP TRIGGER full');
      raw.close();
      const entries = (await admin.audit(url)).slice(4);
      expect(entries.map(({ kind }) => kind)).toEqual([
        'revocation',
        'not-committed',
        'refused',
        'key-released',
        'not-committed',
        'refused',
      ]);
      expect(entries[1]?.facts).toEqual({ entry: entries[0]?.seq, code: 'BROKER_STORE' });
      granted(await requestKey(url, { world, enclave, release }));
    });
    dropDatabase(place);
    await running(place, async ({ url }) => {
      await admin.registered(url, release);
      granted(await requestKey(url, { world, enclave, release }));
    });
  });
});

describe('what stops a start', () => {
  it('a log that lacks what the database depends on', async () => {
    const place = freshPlace();
    const early = await running(place, async ({ url }) => {
      const copy = readFileSync(place.auditPath);
      await admin.registered(url, release);
      return copy;
    });
    writeFileSync(place.auditPath, early);
    await expect(world.start(place)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
  });

  it('another broker on the same database or log, by whatever name', async () => {
    const place = freshPlace();
    const link = freshPath(directory, 'link');
    symlinkSync(directory, link);
    await running(place, async () => {
      const other = freshPlace();
      await expect(world.start(place)).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
      await expect(world.start({ ...other, auditPath: place.auditPath })).rejects.toMatchObject({
        code: 'BROKER_LOCKED',
      });
      await expect(
        world.start({ ...other, databasePath: join(link, basename(place.databasePath)) }),
      ).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
      // What failed to start left nothing locked.
      await running(other, () => Promise.resolve());
    });
  });

  it('a signing key of the wrong kind or none, an unusable policy, a taken port', async () => {
    const signer = (keyId: string): { signer: { keyStore: World['keyStore']; keyId: string } } => ({
      signer: { keyStore: world.keyStore, keyId },
    });
    await expect(world.start(signer('owner'))).rejects.toMatchObject({ code: 'BROKER_SIGNER_UNSUITABLE' });
    await expect(world.start(signer('nobody'))).rejects.toMatchObject({ code: 'BROKER_KEY_STORE' });
    const { quorum } = world.policy;
    const [first] = quorum.approvers;
    if (first === undefined) throw new Error('no approvers');
    for (const policy of [
      { ...world.policy, quorum: { ...quorum, threshold: 4 } },
      { ...world.policy, quorum: { ...quorum, approvers: [...quorum.approvers, { ...first, id: 'again' }] } },
      {
        ...world.policy,
        quorum: { ...quorum, approvers: [...quorum.approvers, { id: first.id, publicKey: 'A'.repeat(59) }] },
      },
      { ...world.policy, ownerKeys: [] },
      { ...world.policy, ownerKeys: [`${'A'.repeat(58)}B`] },
      { ...world.policy, lease: { ...world.policy.lease, ttlSeconds: 0 } },
      Object.assign({ ...world.policy }, { misspelt: true }),
    ]) {
      await expect(world.start({ policy })).rejects.toMatchObject({ code: 'BROKER_CONFIG_INVALID' });
    }
    await expect(world.start({ adminTokenSha256: 'secret' })).rejects.toMatchObject({ code: 'BROKER_CONFIG_INVALID' });
    await running(freshPlace(), async ({ url }) => {
      const port = Number(new URL(url).port);
      await expect(world.start({ listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({
        code: 'BROKER_LISTEN',
      });
    });
  });
});

describe('a broker from its configuration file', () => {
  let folder: string;
  let config: BrokerConfigInput;

  beforeAll(() => {
    folder = freshPath(directory, 'configured');
    mkdirSync(folder);
    writeFileSync(join(folder, 'passphrase'), passphrase, { mode: 0o600 });
    writeFileSync(join(folder, 'policy.json'), JSON.stringify(world.policy));
    config = {
      version: 1,
      listen: { port: 0 },
      databasePath: 'broker.db',
      auditPath: 'audit.log',
      keyStore: { kind: 'software', path: world.keyStorePath, passphrasePath: 'passphrase' },
      signer: { keyId: 'broker' },
      policy: 'policy.json',
      adminTokenSha256: sha256(adminToken),
    };
    writeFileSync(join(folder, 'broker.json'), JSON.stringify(config));
  });

  it('runs, with paths relative to the file, and says what keeps its keys', async () => {
    const broker = await startConfiguredBroker(await loadBrokerConfig(join(folder, 'broker.json')));
    expect(broker.keyStore).toEqual({ hardware: false, description: expect.stringContaining('no hardware') });
    expect(broker.simulatedTeeAllowed).toBe(true);
    expect((await admin.audit(broker.url))[0]).toMatchObject({
      kind: 'start',
      facts: { policyId: 'test-policy', hardwareKeyStore: false, simulatedTeeAllowed: true },
    });
    await broker.close();
  });

  it('runs as a process, refuses a second one, and ends cleanly on SIGTERM', async () => {
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=source', main, '--config', join(folder, 'broker.json')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // Whatever fails below, no process stays behind.
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const exited = once(child, 'close');
    while (!said.includes('listening on')) await once(child.stderr, 'data');
    expect(said).toContain('SIMULATED TEE ALLOWED');
    expect(said).toContain('no hardware');
    const url = /listening on (\S+)/.exec(said)?.[1] ?? '';
    expect((await call(`${url}/health`)).body).toEqual({ status: 'ok' });
    const loaded = await loadBrokerConfig(join(folder, 'broker.json'));
    await expect(startConfiguredBroker(loaded)).rejects.toMatchObject({ code: 'BROKER_LOCKED' });
    const second = spawn(process.execPath, ['--conditions=source', main, '--config', join(folder, 'broker.json')], {
      stdio: 'ignore',
    });
    expect(await once(second, 'close')).toEqual([8, null]);
    // Nobody reads its output any more: it must close its log all the same.
    child.stderr.destroy();
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(readFileSync(join(folder, 'audit.log'), 'utf8').trimEnd().split('\n').at(-1)).toContain('"kind":"stop"');
    const third = await startConfiguredBroker(loaded);
    await third.close();
  });

  it('says what is wrong with the file, and holds no secret', async () => {
    expect(readFileSync(join(folder, 'broker.json'), 'utf8')).not.toContain(adminToken);
    const write = (content: unknown): string => {
      const path = join(folder, 'wrong.json');
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
      return path;
    };
    for (const content of [
      '{',
      {},
      { ...config, adminToken },
      { ...config, policy: 'nowhere.json' },
      { ...config, policy: {} },
    ]) {
      await expect(loadBrokerConfig(write(content))).rejects.toMatchObject({ code: 'BROKER_CONFIG_INVALID' });
    }
    await expect(loadBrokerConfig(join(folder, 'nowhere.json'))).rejects.toMatchObject({
      code: 'BROKER_CONFIG_INVALID',
    });
    writeFileSync(join(folder, 'open'), passphrase, { mode: 0o644 });
    const open = { ...config, keyStore: { ...config.keyStore, passphrasePath: 'open' } };
    await expect(startConfiguredBroker(await loadBrokerConfig(write(open)))).rejects.toMatchObject({
      code: 'KEYS_PERMISSIONS',
    });
  });
});

afterAll(async () => {
  await world.keyStore[Symbol.asyncDispose]();
});
