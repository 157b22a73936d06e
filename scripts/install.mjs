// Installs what the checkout needs, once, and names the Node that runs it.
// Plain JavaScript without dependencies: it is the first thing to run on a fresh machine, under whatever Node is there.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));
const stampPath = join(root, 'node_modules', '.fastness-install');
const oldestNode = [24, 7]; // ML-KEM and Argon2 in Node's own crypto

function wanted() {
  const hash = createHash('sha256');
  for (const name of ['package-lock.json', '.npmrc']) hash.update(readFileSync(join(root, name)));
  return `${hash.digest('hex')} ${process.platform}-${process.arch}`;
}

function fail(lines) {
  for (const line of lines) process.stderr.write(`${line}\n`);
  process.exit(7);
}

/** Runs `npm ci` unless the last one was for this very lock file. */
export function installDependencies() {
  const stamp = wanted();
  if (existsSync(stampPath) && readFileSync(stampPath, 'utf8') === stamp) return;
  process.stderr.write('Installing dependencies with npm ci (about 300 packages, once) ...\n');
  const started = Date.now();
  const npm = spawnSync('npm', ['ci', '--loglevel=error'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (npm.error)
    fail([
      `npm could not be started: ${npm.error.message}`,
      'Next: install npm (Debian: apt-get install npm) and try again.',
    ]);
  if (npm.status !== 0) {
    fail([
      'npm ci failed; its own message is above.',
      'Next: where it names the lock file, this registry lacks a package that it pins; otherwise check that the registry is reachable and 1 GB of disk is free, then try again.',
    ]);
  }
  writeFileSync(stampPath, stamp);
  process.stderr.write(`Installed in ${((Date.now() - started) / 1000).toFixed(0)} s.\n`);
}

/** The Node that runs Fastness: the pinned one from the lock file, or this one where it is new enough. */
export function nodeBinary() {
  const pinned = join(root, 'node_modules', '.bin', 'node');
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return process.execPath;
  return fail([
    `Node ${oldestNode.join('.')} or newer is needed; this is ${process.versions.node}, and no pinned Node ships for ${process.platform}-${process.arch}.`,
    'Next: install Node 24 and try again.',
  ]);
}

/** Environment for child processes: the pinned Node first on the PATH. */
export function childEnvironment() {
  return { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env.PATH ?? ''}` };
}
