import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { afterAll } from 'vitest';

/** A directory that is removed when the test file is done. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fastness-broker-'));
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

export { freshPath } from './fresh-path.ts';

/** The FastnessError that `work` throws; anything else fails the test. */
export function errorOf(work: () => unknown): FastnessError {
  try {
    work();
  } catch (error) {
    if (error instanceof FastnessError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
