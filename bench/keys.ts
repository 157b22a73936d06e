// Unwrapping through the PKCS #11 store and its child process, with 16 callers, over the same module called directly in
// this process: by pkcs11js (built here on first use; said so where it does not build) and by the store's own native calls.
// Software tokens: SoftHSM2 (AES-256-GCM, microseconds an operation: the worst case for a child process) and NSS softoken
// (RSA-3072 OAEP, milliseconds: what devices take). Needs Debian softhsm2, libnss3 and libnss3-tools.
// Calls in this process block its event loop for as long as they last, so a delay is given for the store only.
// Run: npm run bench:keys
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openPkcs11KeyStore, parsePkcs11Uri, type Pkcs11KeyStore, type WrappedKey } from '@fastness/keys';
import { bindingOf as binding } from '../packages/keys/src/pkcs11/binding.ts';
import { Module } from '../packages/keys/src/pkcs11/module.ts';
import { TokenKeys } from '../packages/keys/src/pkcs11/token-keys.ts';
import { findToken, login } from '../packages/keys/src/pkcs11/token.ts';
import { alternate, median, medianRatio, printFigures, printParts, type Figure } from './support.ts';

const callers = 16;
const milliseconds = 1500;
const rounds = 5;
const context = new TextEncoder().encode('bench');
const pin = 'bench-pin-1';

interface Sample {
  readonly perSecond: number;
  /** 99th percentile of the event loop's delay, milliseconds, the 1 ms of the measuring timer included. */
  readonly delay: number;
  /** Processor time of one unwrapping, microseconds: of this process, and of the store's child. */
  readonly own: number;
  readonly child: number;
}

/** Processor time of another process so far, all its threads, nanoseconds. */
function cpuOf(pid: number | undefined): number {
  if (pid === undefined) return 0;
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    0,
  );
}

async function sampled(work: () => Promise<number>, pid?: number): Promise<Sample> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const childBefore = cpuOf(pid);
  const before = process.cpuUsage();
  const started = performance.now();
  const count = await work();
  const elapsed = performance.now() - started;
  const { user, system } = process.cpuUsage(before);
  const child = (cpuOf(pid) - childBefore) / 1000;
  delays.disable();
  return {
    perSecond: (count * 1000) / elapsed,
    delay: delays.percentile(99) / 1e6,
    own: (user + system) / count,
    child: child / count,
  };
}

const throughStore = async (store: Pkcs11KeyStore, wrapped: WrappedKey): Promise<Sample> =>
  sampled(async () => {
    const end = performance.now() + milliseconds;
    let count = 0;
    await Promise.all(
      Array.from({ length: callers }, async () => {
        do {
          (await store.unwrap(wrapped, context)).fill(0);
          count += 1;
        } while (performance.now() < end);
      }),
    );
    return count;
  }, store.childId);

const direct = async (work: () => void): Promise<Sample> =>
  sampled(() => {
    const end = performance.now() + milliseconds;
    let count = 0;
    do {
      work();
      count += 1;
    } while (performance.now() < end);
    return Promise.resolve(count);
  });

/** What the event loop's delay is when nobody asks for anything: that of the machine. */
const resting = async (): Promise<Sample> =>
  sampled(async () => {
    await delay(milliseconds);
    return 0;
  });

/** The little of pkcs11js that is used. Its types are its own. */
interface Peer {
  load(path: string): void;
  C_Initialize(options?: { libraryParameters?: string }): void;
  C_GetSlotList(present: boolean): Buffer[];
  C_GetTokenInfo(slot: Buffer): { label: string };
  C_OpenSession(slot: Buffer, flags: number): Buffer;
  C_Login(session: Buffer, user: number, pin: string): void;
  C_FindObjectsInit(session: Buffer, template: { type: number; value: unknown }[]): void;
  C_FindObjects(session: Buffer, count: number): Buffer[];
  C_FindObjectsFinal(session: Buffer): void;
  C_DecryptInit(session: Buffer, mechanism: { mechanism: number; parameter: object }, key: Buffer): void;
  C_Decrypt(session: Buffer, input: Buffer, output: Buffer): Buffer;
  C_Finalize(): void;
}

/** pkcs11js, installed beside the other peers and built; undefined where it does not build. */
function loadPeer(): (new () => Peer) | undefined {
  const folder = fileURLToPath(new URL('peers/', import.meta.url));
  const npm = (...options: string[]): void => {
    execFileSync('npm', [...options, '--no-audit', '--no-fund'], { cwd: folder, stdio: 'ignore' });
  };
  try {
    if (!existsSync(join(folder, 'node_modules/pkcs11js'))) npm('ci', '--ignore-scripts');
    if (!existsSync(join(folder, 'node_modules/pkcs11js/build/Release/pkcs11.node'))) {
      npm('rebuild', 'pkcs11js');
    }
    const { PKCS11 } = createRequire(join(folder, 'package.json'))('pkcs11js') as { PKCS11: new () => Peer };
    return PKCS11;
  } catch {
    return undefined;
  }
}

/** One decryption by pkcs11js of what the store wrapped: the same calls on the same key. */
function peerUnwrap(PKCS11: new () => Peer, uri: string, way: 'gcm' | 'rsa', wrapped: WrappedKey): () => void {
  const { modulePath, match, libraryParameters } = parsePkcs11Uri(uri);
  const peer = new PKCS11();
  peer.load(modulePath);
  peer.C_Initialize(libraryParameters === undefined ? undefined : { libraryParameters });
  const slot = peer.C_GetSlotList(true).find((each) => peer.C_GetTokenInfo(each).label.trim() === match.token);
  if (slot === undefined) throw new Error('pkcs11js does not find the token');
  const session = peer.C_OpenSession(slot, 0x6);
  peer.C_Login(session, 1, pin);
  peer.C_FindObjectsInit(session, [
    { type: 0x0, value: way === 'gcm' ? 4 : 3 },
    { type: 0x102, value: Buffer.from('fastness:1:wrap:kek:1') },
  ]);
  const [key] = peer.C_FindObjects(session, 1);
  peer.C_FindObjectsFinal(session);
  if (key === undefined) throw new Error('pkcs11js does not find the key');
  const bytes = Buffer.from(wrapped.ciphertext);
  const output = Buffer.alloc(8192);
  const mechanism =
    way === 'gcm'
      ? {
          mechanism: 0x1087,
          parameter: { type: 3, iv: bytes.subarray(1, 13), aad: randomBytes(32), ivBits: 96, tagBits: 128 },
        }
      : { mechanism: 0x9, parameter: { type: 4, hashAlg: 0x250, mgf: 2, source: 1, sourceData: Buffer.alloc(0) } };
  if (way === 'gcm') Object.assign(mechanism.parameter, { aad: Buffer.from(bindingOf(wrapped)) });
  const input = way === 'gcm' ? bytes.subarray(13) : bytes.subarray(1, 385);
  return () => {
    peer.C_DecryptInit(session, mechanism, key);
    peer.C_Decrypt(session, input, output).fill(0);
  };
}

function bindingOf(wrapped: WrappedKey): Uint8Array {
  return binding(wrapped.keyId, wrapped.keyVersion, context);
}

function nativeUnwrap(uri: string, wrapped: WrappedKey): () => void {
  const { modulePath, match, libraryParameters } = parsePkcs11Uri(uri);
  const module = Module.load(modulePath, libraryParameters);
  const session = login(module, findToken(module, match), () => Buffer.from(pin));
  const keys = new TokenKeys(module, session, 'auto');
  const { keyId: id, keyVersion: version, algorithm, ciphertext } = wrapped;
  return () => void keys.unwrap({ id, version, algorithm }, ciphertext, bindingOf(wrapped)).fill(0);
}

async function softHsm(folder: string): Promise<string> {
  const configuration = join(folder, 'softhsm2.conf');
  await mkdir(join(folder, 'tokens'));
  await writeFile(configuration, `directories.tokendir = ${join(folder, 'tokens')}\nobjectstore.backend = file\n`);
  process.env['SOFTHSM2_CONF'] = configuration;
  execFileSync(
    'softhsm2-util',
    ['--init-token', '--free', '--label', 'bench', '--so-pin', 'bench-so-pin', '--pin', pin],
    {
      stdio: 'ignore',
    },
  );
  return `pkcs11:token=bench?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:${join(folder, 'pin')}`;
}

async function nss(folder: string): Promise<string> {
  const database = join(folder, 'nss');
  await mkdir(database);
  // Else its stretching of the password, for every use of a key, is what is measured.
  process.env['NSS_MAX_MP_PBE_ITERATION_COUNT'] = '1';
  execFileSync('certutil', ['-N', '-d', `sql:${database}`, '-f', join(folder, 'pin')]);
  const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const parameters = `configdir='sql:${database}' certPrefix='' keyPrefix='' secmod='secmod.db' flags= `;
  return `pkcs11:token=NSS%20Certificate%20DB?module-path=/usr/lib/${architecture}-linux-gnu/libsoftokn3.so&pin-source=file:${join(folder, 'pin')}&x-library-parameters=${encodeURIComponent(parameters)}`;
}

const folder = await mkdtemp(join(tmpdir(), 'fastness-bench-keys-'));
try {
  await writeFile(join(folder, 'pin'), pin, { mode: 0o600 });
  const PKCS11 = loadPeer();
  const figures: Figure[] = [];
  for (const [name, way, uri] of [
    ['SoftHSM2, AES-256-GCM', 'gcm', await softHsm(folder)],
    ['NSS softoken, RSA-3072 OAEP', 'rsa', await nss(folder)],
  ] as const) {
    await using store = await openPkcs11KeyStore({ uri, wrapping: way === 'gcm' ? 'aes-gcm' : 'rsa-oaep' });
    await store.create({ id: 'kek', purpose: 'wrap', algorithm: 'AES-256-GCM' });
    const wrapped = await store.wrap('kek', randomBytes(32), context);
    // One of the two at a time: a module can be initialised once in a process.
    const raw = PKCS11 === undefined ? nativeUnwrap(uri, wrapped) : peerUnwrap(PKCS11, uri, way, wrapped);
    const samples = await alternate(
      { store: async () => throughStore(store, wrapped), raw: async () => direct(raw) },
      rounds,
    );
    const idle = [];
    for (let round = 0; round < rounds; round += 1) idle.push(await resting());
    const rates = samples.store.map(({ perSecond }) => perSecond);
    const references = samples.raw.map(({ perSecond }) => perSecond);
    figures.push({
      name: `${name}: unwraps, ${callers} callers`,
      value: median(rates),
      against: PKCS11 === undefined ? "the store's own calls in this process" : 'pkcs11js in this process',
      reference: median(references),
      unit: '/s',
      goal: '>= 0.8',
      ratio: medianRatio(rates, references),
    });
    printParts(`${name}: processor time of one unwrapping`, 'µs', {
      'through the store, in its child': median(samples.store.map(({ child }) => child)),
      'through the store, in this process': median(samples.store.map(({ own }) => own)),
      'called in this process': median(samples.raw.map(({ own }) => own)),
    });
    printParts(`${name}: delay of the event loop, 99th percentile`, 'ms', {
      'through the store (goal: under 5)': median(samples.store.map(({ delay }) => delay)),
      'the same process with nothing to do': median(idle.map(({ delay }) => delay)),
    });
  }
  if (PKCS11 === undefined)
    process.stdout.write("pkcs11js does not build here: compared with the store's own calls.\n");
  printFigures('Key stores on tokens', figures);
} finally {
  await rm(folder, { recursive: true, force: true });
}
