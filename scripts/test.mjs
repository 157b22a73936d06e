// `npm test`: install, then run every test. Arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPrograms } from './debian.mjs';
import { childEnvironment, installDependencies, nodeBinary, root } from './install.mjs';

installDependencies();
installPrograms();
const report = join(tmpdir(), `fastness-test-${process.pid}.json`);
const run = spawnSync(
  nodeBinary(),
  [
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: childEnvironment() },
);
let counts;
try {
  counts = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(report);
} catch {
  process.stderr.write('vitest wrote no report: it did not run to its end.\n');
  process.exit(70);
}
// A file that failed to load has no tests of its own; count it, or a broken import would look like a pass.
const brokenFiles = counts.testResults.filter(
  (file) => file.status === 'failed' && file.assertionResults.length === 0,
).length;
const skipped = counts.numPendingTests + counts.numTodoTests;
// A file whose process died, or an error outside of every test, fails no test; the run failed all the same.
const failed = Math.max(counts.numFailedTests + brokenFiles, run.status === 0 ? 0 : 1);
process.stdout.write(`${counts.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(run.status ?? 70);
