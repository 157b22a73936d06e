import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** A file of the program. */
export interface ProgramFile {
  readonly name: string;
  readonly text: string;
}

/**
 * The first process of the image as a few files, from the sources of this checkout: what it imports and nothing else. The
 * engines and the foreign function interface stay packages, because they bring machine code.
 */
export async function bundleProgram(root: string): Promise<readonly ProgramFile[]> {
  const bundle = await rolldown({
    cwd: root,
    platform: 'node',
    input: {
      init: join(root, 'apps/enclave/src/init/main.ts'),
      // Threads are started by the name of their file, beside whoever starts them.
      worker: join(root, 'packages/model/src/threads/worker.ts'),
    },
    resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
    external: [/^node:/, 'koffi', 'node-llama-cpp', 'onnxruntime-node', '@huggingface/tokenizers'],
    logLevel: 'silent',
  });
  try {
    const { output } = await bundle.generate({
      format: 'esm',
      entryFileNames: '[name].js',
      chunkFileNames: 'chunk-[hash].js',
    });
    return output
      .map((part) => {
        if (part.type !== 'chunk') throw new Error(`${part.fileName} is no program.`);
        return { name: part.fileName, text: part.code };
      })
      .toSorted((left, right) => (left.name < right.name ? -1 : 1));
  } finally {
    await bundle.close();
  }
}
