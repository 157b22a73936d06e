import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { measureImage } from '@fastness/testkit/simulated-tee';
import { beforeEach, describe, expect, test } from 'vitest';
import { expectCode, temporaryFolder } from './support.ts';

const folder = await temporaryFolder();
const root = join(folder, 'checkout');
const measure = async (paths: string[] = ['app'], options: { exclude?: string[] } = {}): Promise<string> =>
  measureImage(paths, { root, ...options });

beforeEach(async () => {
  await rm(root, { recursive: true, force: true });
  await mkdir(join(root, 'app/inner'), { recursive: true });
  await writeFile(join(root, 'app/main.ts'), 'main');
  await writeFile(join(root, 'app/inner/large.bin'), new Uint8Array(700_000).fill(3));
  await symlink('inner/large.bin', join(root, 'app/link'));
});

describe('measureImage', () => {
  test('is what its docstring says', async () => {
    const length = (bytes: Uint8Array | string): Uint8Array => {
      const prefix = Buffer.alloc(4);
      prefix.writeUInt32BE(Buffer.from(bytes).length);
      return prefix;
    };
    const hash = createHash('sha384');
    const put = (bytes: Uint8Array | string): unknown => hash.update(length(bytes)).update(bytes);
    const digest = (content: Uint8Array | string): Uint8Array => createHash('sha384').update(content).digest();
    put('fastness/simulated-image/v1');
    const frames: [number, string, Uint8Array | string][] = [
      [1, 'app/inner/large.bin', digest(new Uint8Array(700_000).fill(3))],
      [2, 'app/link', 'inner/large.bin'],
      [1, 'app/main.ts', digest('main')],
    ];
    for (const [kind, name, content] of frames) {
      hash.update(Uint8Array.of(kind));
      put(name);
      put(content);
    }
    expect(await measure()).toBe(hash.digest('hex'));
  });

  test('does not depend on checkout, order, overlap, modes or empty folders', async () => {
    const first = await measure();
    expect(await measure(['app/inner', 'app/main.ts', 'app/link', 'app'])).toBe(first);
    await mkdir(join(root, 'app/empty'));
    await chmod(join(root, 'app/main.ts'), 0o755);
    expect(await measure()).toBe(first);
    const elsewhere = join(folder, 'elsewhere');
    await cp(root, elsewhere, { recursive: true, verbatimSymlinks: true });
    expect(await measureImage([join(elsewhere, 'app')], { root: elsewhere })).toBe(first);
    await rm(elsewhere, { recursive: true });
  });

  test.each([
    ['content', async () => writeFile(join(root, 'app/main.ts'), 'Main')],
    ['a name', async () => rename(join(root, 'app/main.ts'), join(root, 'app/other.ts'))],
    ['one more file', async () => writeFile(join(root, 'app/more'), '')],
    ['one file less', async () => rm(join(root, 'app/main.ts'))],
    [
      'another link',
      async () => {
        await rm(join(root, 'app/link'));
        await symlink('main.ts', join(root, 'app/link'));
      },
    ],
    [
      'a file for a link',
      async () => {
        await rm(join(root, 'app/link'));
        await writeFile(join(root, 'app/link'), 'inner/large.bin');
      },
    ],
    [
      'a file in another place',
      async () => {
        await rm(join(root, 'app/link'));
        await rename(join(root, 'app/inner'), join(root, 'app/inner2'));
      },
    ],
  ] as const)('changes with %s', async (_, change) => {
    const before = await measure();
    await change();
    expect(await measure()).not.toBe(before);
  });

  test('leaves out what it is told to', async () => {
    await rm(join(root, 'app/link'));
    const with_ = await measure(['app/main.ts']);
    expect(await measure(['app'], { exclude: ['app/inner'] })).toBe(with_);
  });
  test('names files outside the root by their whole path', async () => {
    await writeFile(join(folder, 'outside'), 'x');
    expect(await measure(['../outside'])).toBe(
      await measureImage([join(folder, 'outside')], { root: join(root, 'app') }),
    );
  });

  test.skipIf(process.platform !== 'linux')('notices files that are not what was listed', async () => {
    // A file of /proc is listed with no bytes and has some.
    await expectCode('TESTKIT_IMAGE_CHANGED', () => measure(['/proc/version']));
  });
  test('has a limit', async () => {
    await truncate(join(root, 'app/main.ts'), 17 * 2 ** 30);
    await expectCode('TESTKIT_IMAGE_LIMIT', () => measure());
  });
  test('refuses what it cannot measure', async () => {
    await expectCode('TESTKIT_IMAGE_MISSING', () => measure(['app', 'nothing']));
    await expectCode('TESTKIT_IMAGE_MISSING', () => measure([]));
    await expectCode('TESTKIT_IMAGE_LINK', () => measure(['app/link']));
    await expectCode('TESTKIT_IMAGE_LINK', () => measure(['app'], { exclude: ['app/inner/large.bin'] }));
    await symlink('/etc/hostname', join(root, 'app/escape'));
    await expectCode('TESTKIT_IMAGE_LINK', () => measure());
    await rm(join(root, 'app/escape'));
    await symlink('nowhere', join(root, 'app/dangling'));
    await expectCode('TESTKIT_IMAGE_LINK', () => measure());
    await rm(join(root, 'app/dangling'));
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, 'app/socket'), resolve));
    await expectCode('TESTKIT_IMAGE_KIND', () => measure());
    await new Promise((resolve) => server.close(resolve));
  });
});
