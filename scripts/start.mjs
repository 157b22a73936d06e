// `npm start`: install, then run the whole chain on the embedded defaults (`fastness up`).
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { childEnvironment, installDependencies, nodeBinary, root } from './install.mjs';

installDependencies();
const child = spawn(
  nodeBinary(),
  [
    '--disable-warning=ExperimentalWarning',
    '--conditions=source',
    join(root, 'apps/cli/src/main.ts'),
    'up',
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit', env: childEnvironment() },
);
// The terminal sends Ctrl-C to the child as well; it shuts its processes down and sets the exit code.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
