// `npm run test:nginx`: runs the client through an nginx with deploy/relay/nginx.conf. FASTNESS_NGINX names one; otherwise the
// installed one is taken, or that of Debian's package, unpacked and not installed: an installed one would begin to serve port 80.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { childEnvironment, installDependencies, nodeBinary, root } from './install.mjs';

installDependencies();
const folder = mkdtempSync(join(tmpdir(), 'fastness-nginx-'));
process.exitCode = 70;
try {
  const nginx = [process.env.FASTNESS_NGINX, '/usr/sbin/nginx'].find((file) => file && existsSync(file)) ?? unpacked();
  const test = 'packages/client/test/standard-relay.test.ts';
  const { status } = spawnSync(nodeBinary(), [join(root, 'node_modules/vitest/vitest.mjs'), 'run', test], {
    cwd: root,
    env: { ...childEnvironment(), FASTNESS_NGINX: nginx },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 70;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function unpacked() {
  run('apt-get', ['-qq', 'download', 'nginx']);
  const archive = readdirSync(folder).find((name) => name.startsWith('nginx_'));
  if (archive === undefined) throw new Error('apt-get downloaded no nginx.');
  run('dpkg-deb', ['-x', archive, '.']);
  return join(folder, 'usr/sbin/nginx');
}

function run(program, args) {
  const { status } = spawnSync(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status === 0) return;
  throw new Error(`${program} ${args.join(' ')} failed. Next: install nginx, or name one in FASTNESS_NGINX.`);
}
