// `npm run pack -- FOLDER`: builds, and writes every package as a tarball with the licence in it. The scripts of packages do
// not run here (.npmrc), so npm's own `prepack` cannot do this.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const destination = resolve(process.argv[2] ?? 'tarballs');
const run = (...command) => execFileSync('npm', command, { cwd: root, stdio: 'inherit' });

run('run', 'build');
mkdirSync(destination, { recursive: true });
const licences = ['packages', 'apps'].flatMap((group) =>
  readdirSync(join(root, group)).map((name) => join(root, group, name, 'LICENSE')),
);
try {
  for (const licence of licences) copyFileSync(join(root, 'LICENSE'), licence);
  run('pack', '--workspaces', '--silent', '--pack-destination', destination);
} finally {
  for (const licence of licences) rmSync(licence, { force: true });
}
