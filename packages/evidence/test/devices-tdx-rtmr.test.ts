import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes, toHex } from '@fastness/codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  encodeRuntimeEvent,
  openConfigfsTsm,
  openTdxRtmr,
  tdxRuntimeRegister,
  type RuntimeEvent,
} from '../src/index.ts';
import { codeOf } from './support/tpm.ts';

let base: string;
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'fastness-rtmr-'));
});
afterAll(() => rm(base, { recursive: true, force: true }));

const events: readonly RuntimeEvent[] = [
  { kind: 'configuration', digest: new Uint8Array(32).fill(1) },
  { kind: 'release', digest: new Uint8Array(32).fill(2) },
];
const [configuration] = events;
if (configuration === undefined) throw new Error('two events');
const sha384 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha384').update(bytes).digest());
const errno = (code: string): Error => Object.assign(new Error(code), { code });

let count = 0;
async function register(content = new Uint8Array(48)): Promise<string> {
  count += 1;
  const path = join(base, `rtmr-${count}`);
  await writeFile(path, content);
  return path;
}
/** What the kernel does with a write: 48 bytes and no others extend the register. */
const extend = async (path: string, digest: Uint8Array): Promise<void> => {
  if (digest.length !== 48) throw errno('EINVAL');
  await writeFile(path, sha384(concatBytes(new Uint8Array(await readFile(path)), digest)));
};
const after = async (
  path: string,
  writeDigest?: (path: string, digest: Uint8Array) => Promise<void>,
): Promise<string> => {
  const write = await openTdxRtmr({ path, pauseMs: 1, ...(writeDigest === undefined ? {} : { writeDigest }) });
  if (write === undefined) return 'absent';
  return await codeOf(write(configuration));
};

describe('RTMR3 of a trust domain', () => {
  it('is extended with configuration and release to the value that a policy can pin', async () => {
    const path = await register();
    const folder = join(base, 'tsm');
    await mkdir(folder);
    const makeEntry = async (entry: string): Promise<void> => {
      await mkdir(entry);
      await writeFile(join(entry, 'provider'), 'tdx_guest\n');
    };
    const collector = await openConfigfsTsm({ root: folder, makeEntry, rtmr: { path, writeDigest: extend } });
    for (const event of events) await collector?.extend?.(event);
    const value = toHex(new Uint8Array(await readFile(path)));
    expect(value).toBe(tdxRuntimeRegister(events));
    expect(value).not.toBe(tdxRuntimeRegister(events.toReversed()));
    const [first, second] = events.map((event) => sha384(encodeRuntimeEvent(event)));
    if (first === undefined || second === undefined) throw new Error('two digests');
    expect(value).toBe(toHex(sha384(concatBytes(sha384(concatBytes(new Uint8Array(48), first)), second))));
  });

  it('gets the digest of an event in one write, and what it then holds is looked at', async () => {
    const path = await register();
    // A plain file holds what was written: no kernel has extended anything.
    expect(await after(path)).toBe('EVIDENCE_RESPONSE');
    expect(new Uint8Array(await readFile(path))).toEqual(sha384(encodeRuntimeEvent(configuration)));
  });

  it('is written again when it was busy, and not when a call that failed had worked', async () => {
    let calls = 0;
    const twice = async (path: string, digest: Uint8Array): Promise<void> => {
      calls += 1;
      if (calls < 3) throw errno(calls === 1 ? 'EBUSY' : 'EINTR');
      await extend(path, digest);
    };
    const path = await register();
    expect(await after(path, twice)).toBe('done');
    expect([calls, toHex(new Uint8Array(await readFile(path)))]).toEqual([3, tdxRuntimeRegister([configuration])]);
    let worked = 0;
    const late = async (file: string, digest: Uint8Array): Promise<void> => {
      worked += 1;
      await extend(file, digest);
      throw errno('EINTR');
    };
    expect([await after(await register(), late), worked]).toEqual(['done', 1]);
  });

  it.each<[string, string, (path: string, digest: Uint8Array) => Promise<void>]>([
    ['the module refuses', 'EVIDENCE_REFUSED', () => Promise.reject(errno('EIO'))],
    ['it is busy for ever', 'EVIDENCE_TIMEOUT', () => Promise.reject(errno('EBUSY'))],
    ['nothing happens', 'EVIDENCE_RESPONSE', () => Promise.resolve()],
    [
      'others extend it too',
      'EVIDENCE_RESPONSE',
      async (path, digest) => {
        await extend(path, new Uint8Array(48));
        await extend(path, digest);
      },
    ],
    ['it ends early', 'EVIDENCE_RESPONSE', (path) => writeFile(path, new Uint8Array(47))],
    ['it has more bytes', 'EVIDENCE_RESPONSE', (path) => writeFile(path, new Uint8Array(49))],
    ['it goes away', 'EVIDENCE_UNREACHABLE', (path) => rm(path)],
  ])('stops the enclave when %s', async (_, code, writeDigest) => {
    expect(await after(await register(), writeDigest)).toBe(code);
  });

  it('is not there in older kernels, nor for users who may not write to it', async () => {
    expect(await openTdxRtmr({ path: join(base, 'missing') })).toBeUndefined();
    const path = await register();
    await chmod(path, 0o444);
    // root may write to any file.
    if (process.getuid?.() !== 0) expect(await openTdxRtmr({ path })).toBeUndefined();
  });
});
