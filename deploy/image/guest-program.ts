import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** The text of a program of this folder as one file for a guest, where Node and koffi are all there is. */
export async function guestProgram(name: string): Promise<string> {
  const bundle = await rolldown({
    cwd: join(import.meta.dirname, '../..'),
    platform: 'node',
    input: join(import.meta.dirname, name),
    resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
    external: [/^node:/, 'koffi'],
    logLevel: 'silent',
  });
  try {
    const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
    return output[0].code;
  } finally {
    await bundle.close();
  }
}
