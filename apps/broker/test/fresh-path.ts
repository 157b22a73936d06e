import { join } from 'node:path';

let count = 0;

/** A path in `directory` that nothing uses yet. */
export function freshPath(directory: string, name = 'file'): string {
  count += 1;
  return join(directory, `${name}-${count}`);
}
