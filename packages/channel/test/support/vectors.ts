import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const folder = process.env['FASTNESS_VECTORS'] ?? path.resolve(import.meta.dirname, '../../../../../shared/vectors');

/** Folder of the recorded OHTTP and HPKE exchanges. */
const ohttpFolder = path.join(folder, 'ohttp');

export const haveVectors = existsSync(ohttpFolder);

if (!haveVectors) process.stderr.write(`No recorded exchanges at ${ohttpFolder}: known-answer tests are skipped.\n`);

export function vector(name: string): unknown {
  return JSON.parse(readFileSync(path.join(ohttpFolder, name), 'utf8'));
}
