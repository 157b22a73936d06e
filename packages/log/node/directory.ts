import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FastnessError } from '@fastness/codec/errors';
import { parseTilePath, type ReadResource } from '@fastness/log';

/** Reads a log from its folder. Only the paths of checkpoints and tiles are read, whatever is asked for. */
export function directoryLog(directory: string): ReadResource {
  return async (path) => {
    if (path !== 'checkpoint' && parseTilePath(path) === undefined) return undefined;
    try {
      return new Uint8Array(await readFile(join(directory, path)));
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) {
        return undefined;
      }
      throw new FastnessError('LOG_UNAVAILABLE', path, { cause });
    }
  };
}
