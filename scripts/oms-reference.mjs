// `npm run test:oms-reference`: has the reference tool of OpenSSF Model Signing verify what we sign, and the reverse.
// FASTNESS_MODEL_SIGNING names its program `model_signing`; otherwise that of PATH is taken.
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { childEnvironment, installDependencies, nodeBinary, root } from './install.mjs';

const program = process.env.FASTNESS_MODEL_SIGNING ?? inPath('model_signing');
if (program === undefined) {
  process.stdout.write(
    'SKIPPED: the reference tool is not installed. Next: pip install model-signing, or name its program in FASTNESS_MODEL_SIGNING.\n',
  );
} else {
  installDependencies();
  const test = 'packages/model/test/oms-reference.test.ts';
  const { status } = spawnSync(nodeBinary(), [join(root, 'node_modules/vitest/vitest.mjs'), 'run', test], {
    cwd: root,
    env: { ...childEnvironment(), FASTNESS_MODEL_SIGNING: program },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 70;
}

function inPath(name) {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
