import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8Encode } from '@fastness/codec/bytes';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readPassphraseFile } from '../src/index.ts';
import { expectCode } from './conformance.ts';

describe('readPassphraseFile', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fastness-passphrase-'));
    path = join(folder, 'passphrase');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it.each([
    ['long enough', 'long enough'],
    ['long enough\n', 'long enough'],
    ['long enough\r\n', 'long enough'],
    ['long enough\n\n', 'long enough\n'],
    [' long enough \n', ' long enough '],
    ['long enough\r', 'long enough\r'],
  ])('reads %j as %j', async (content, expected) => {
    await writeFile(path, content, { mode: 0o600 });
    expect(await readPassphraseFile(path)).toEqual(utf8Encode(expected));
  });

  it('reads up to 1024 bytes and their line ending', async () => {
    await writeFile(path, `${'x'.repeat(1024)}\r\n`, { mode: 0o600 });
    expect(await readPassphraseFile(path)).toHaveLength(1024);
  });

  it.each(['', '\n', 'short\n', 'x'.repeat(1025), 'x'.repeat(5000)])('refuses an unfit length', async (content) => {
    await writeFile(path, content, { mode: 0o600 });
    await expectCode(readPassphraseFile(path), 'KEYS_PASSPHRASE');
  });

  it.each([0o644, 0o640, 0o602])('refuses mode 0%o', async (mode) => {
    await writeFile(path, 'long enough');
    await chmod(path, mode);
    await expectCode(readPassphraseFile(path), 'KEYS_PERMISSIONS', 'long enough');
  });

  it('refuses a symbolic link and a folder', async () => {
    await writeFile(path, 'long enough', { mode: 0o600 });
    await symlink(path, `${path}.link`);
    await expectCode(readPassphraseFile(`${path}.link`), 'KEYS_PERMISSIONS');
    await chmod(folder, 0o700);
    await expectCode(readPassphraseFile(folder), 'KEYS_PERMISSIONS');
  });

  it('says when there is no file', () => expectCode(readPassphraseFile(path), 'KEYS_FILE_NOT_FOUND'));
});
