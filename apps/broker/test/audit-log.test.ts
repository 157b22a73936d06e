import { appendFileSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { encodeAuditEntry } from '../src/audit/entry.ts';
import { openAuditLog } from '../src/audit/log.ts';
import { verifyAuditLog } from '../src/index.ts';
import { freshPath, temporaryDirectory } from './temporary.ts';

const directory = temporaryDirectory();
const now = (): Date => new Date('2026-11-23T12:00:00.000Z');
const refused = { operation: 'key-release', code: 'BROKER_NONCE_REUSED' } as const;

async function writtenLog(entries: number): Promise<string> {
  const path = freshPath(directory, 'audit');
  await using log = await openAuditLog({ path, now });
  for (let index = 0; index < entries; index += 1) await log.append('refused', refused);
  return path;
}

const reopen = async (path: string, knownHead?: { seq: number; hash: string }): Promise<void> => {
  const log = await openAuditLog({ path, now, knownHead });
  await log.close();
};

describe('writing', () => {
  it('chains entries across restarts, readable by their owner only', async () => {
    const path = await writtenLog(3);
    await using log = await openAuditLog({ path, now });
    expect(log.head.seq).toBe(3);
    await log.append('refused', refused);
    const entries = await log.read({ after: 0, limit: 10 });
    expect(entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
    expect(entries[0]?.prevHash).toBe('0'.repeat(64));
    expect(entries[3]?.prevHash).toBe(entries[2]?.hash);
    expect(entries[3]).toMatchObject({ time: '2026-11-23T12:00:00.000Z', kind: 'refused', facts: refused });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('keeps the order of concurrent appends and pages through many entries', async () => {
    const path = freshPath(directory, 'audit');
    await using log = await openAuditLog({ path, now });
    const heads = await Promise.all(Array.from({ length: 500 }, () => log.append('refused', refused)));
    expect(heads.map(({ seq }) => seq)).toEqual(Array.from({ length: 500 }, (_, index) => index + 1));
    const page = await log.read({ after: 321, limit: 50 });
    expect([page[0]?.seq, page.at(-1)?.seq]).toEqual([322, 371]);
    expect(await log.read({ after: 500, limit: 5 })).toEqual([]);
    expect(await verifyAuditLog(path, heads[250])).toMatchObject({ head: heads[499], tornBytes: 0 });
  });

  it('stops for good when the disk fails', async () => {
    // A device on which every write fails for want of space.
    const log = await openAuditLog({ path: '/dev/full', now });
    const appends = await Promise.allSettled([log.append('refused', refused), log.append('refused', refused)]);
    for (const append of [...appends, ...(await Promise.allSettled([log.append('refused', refused)]))]) {
      expect(append).toMatchObject({ status: 'rejected', reason: { code: 'AUDIT_UNAVAILABLE' } });
    }
    expect(log.failed).toBe(true);
    await log.close();
  });

  it('takes nothing after it was closed', async () => {
    const log = await openAuditLog({ path: await writtenLog(1), now });
    await log.close();
    await expect(log.append('refused', refused)).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  it('does not write through a symbolic link', async () => {
    const path = freshPath(directory, 'link');
    symlinkSync(await writtenLog(1), path);
    await expect(openAuditLog({ path, now })).rejects.toThrow('ELOOP');
  });
});

describe('recovery', () => {
  it('cuts off an incomplete final write and says so', async () => {
    const path = await writtenLog(2);
    const whole = readFileSync(path);
    const next = Buffer.from(encodeAuditEntry({ seq: 2, hash: 'f'.repeat(64) }, now(), 'refused', refused).line);
    for (const length of [1, 40, next.length]) {
      writeFileSync(path, Buffer.concat([whole, next.subarray(0, length)]));
      await using log = await openAuditLog({ path, now });
      const entries = await log.read({ after: 0, limit: 10 });
      expect(entries).toHaveLength(3);
      expect(entries[2]).toMatchObject({ kind: 'log-recovered', facts: { droppedBytes: length } });
      await log.append('refused', refused);
    }
  });

  it('cuts off a final write that a power cut left as zeros', async () => {
    const path = await writtenLog(2);
    appendFileSync(path, new Uint8Array(4096));
    await using log = await openAuditLog({ path, now });
    expect((await log.read({ after: 2, limit: 1 }))[0]?.facts).toEqual({ droppedBytes: 4096 });
  });

  it('refuses a log whose last entry was cut off when the database remembers that entry', async () => {
    const path = await writtenLog(3);
    const { head } = await verifyAuditLog(path);
    truncateSync(path, statSync(path).size - 1);
    await expect(reopen(path, head)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
  });
});

describe('damage', () => {
  const lines = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n');
  const damages: Record<string, (path: string) => Promise<void> | void> = {
    'a changed fact': (path) => {
      writeFileSync(path, readFileSync(path, 'utf8').replace('NONCE_REUSED', 'NONCE_EXPIRED'));
    },
    'a changed time': (path) => {
      writeFileSync(path, readFileSync(path, 'utf8').replace('12:00', '11:00'));
    },
    'a changed hash': (path) => {
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"hash":"./, '"hash":"x'));
    },
    'a removed entry': (path) => {
      writeFileSync(path, `${lines(path).toSpliced(1, 1).join('\n')}\n`);
    },
    'a removed first entry': (path) => {
      writeFileSync(path, `${lines(path).slice(1).join('\n')}\n`);
    },
    'swapped entries': (path) => {
      const [first, second, ...rest] = lines(path);
      writeFileSync(path, `${[second, first, ...rest].join('\n')}\n`);
    },
    'an inserted entry with a hash of its own': (path) => {
      const forged = encodeAuditEntry({ seq: 1, hash: '0'.repeat(64) }, now(), 'refused', refused).line;
      writeFileSync(path, `${lines(path).toSpliced(1, 1, forged).join('\n')}\n`);
    },
    'an empty line': (path) => {
      appendFileSync(path, '\n');
    },
    'a line of something else': (path) => {
      appendFileSync(path, '{"seq":4}\n');
    },
    'a member after the hash': (path) => {
      writeFileSync(path, readFileSync(path, 'utf8').replace(/\}\n/, ',"more":1}\n'));
    },
    'bytes that are not UTF-8': (path) => {
      appendFileSync(path, Buffer.from([0xff, 0x0a]));
    },
    'an endless line': (path) => {
      appendFileSync(path, 'x'.repeat(400_000));
    },
    'an unknown kind': (path) => {
      writeFileSync(path, readFileSync(path, 'utf8').replace('"kind":"refused"', '"kind":"approved"'));
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`refuses to start over ${name}`, async () => {
      const path = await writtenLog(3);
      await damage(path);
      const before = readFileSync(path);
      await expect(reopen(path)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
      await expect(verifyAuditLog(path)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
      expect(readFileSync(path).equals(before)).toBe(true);
    });
  }

  it('refuses a whole but other log in place of the one it knows', async () => {
    const known = await verifyAuditLog(await writtenLog(2));
    const path = freshPath(directory, 'audit');
    await using log = await openAuditLog({ path, now });
    for (let index = 0; index < 3; index += 1) await log.append('stop', {});
    await expect(reopen(path, known.head)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
    await expect(verifyAuditLog(path, known.head)).rejects.toMatchObject({ code: 'AUDIT_CHAIN_BROKEN' });
  });
});
