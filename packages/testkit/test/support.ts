import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError, type ErrorCode } from '@fastness/codec/errors';
import { afterAll, expect } from 'vitest';

/** Expects `work` to fail with exactly this code. */
export async function expectCode(code: ErrorCode, work: () => unknown): Promise<void> {
  let caught: unknown;
  try {
    await work();
  } catch (error) {
    caught = error;
  }
  if (caught !== undefined && !(caught instanceof FastnessError)) throw caught;
  expect(caught?.code).toBe(code);
}

/** A new folder that is removed after the tests of the file. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fastness-'));
  afterAll(async () => rm(folder, { recursive: true, force: true }));
  return folder;
}
