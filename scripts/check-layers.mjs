// The layer check: a package imports only packages above it, browser-ready code imports nothing of Node,
// and no production source imports the test kit. tsc sees none of these.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const layers = ['codec', 'log', 'attest', 'evidence', 'keys', 'model', 'channel', 'client', 'testkit'];
const apps = ['relay', 'broker', 'enclave', 'console', 'cli'];
const browserReady = [
  'packages/codec/src',
  'packages/log/src',
  'packages/attest/src',
  'packages/channel/src',
  'packages/client/src',
  'packages/model/src/release',
  'apps/console/src',
];
const importPattern = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)'([^']+)'/g;

const problems = [];

function* sources(directory) {
  for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (entry.name.endsWith('.ts')) yield path;
  }
}

function allowedFor(owner) {
  if (owner === 'cli') return new Set([...layers.filter((name) => name !== 'testkit'), ...apps]);
  if (apps.includes(owner)) return new Set([...layers.filter((name) => name !== 'testkit'), owner]);
  return new Set(layers.slice(0, layers.indexOf(owner) + 1));
}

for (const [folder, owners] of [
  ['packages', layers],
  ['apps', apps],
]) {
  for (const owner of owners) {
    const allowed = allowedFor(owner);
    for (const file of sources(join(folder, owner, 'src'))) {
      const text = readFileSync(join(root, file), 'utf8');
      const inBrowser = browserReady.some((prefix) => file.startsWith(`${prefix}/`));
      for (const [, specifier] of text.matchAll(importPattern)) {
        const other = /^@fastness\/([a-z]+)/.exec(specifier)?.[1];
        if (other !== undefined && !allowed.has(other))
          problems.push(`${file}: imports ${specifier}, which is not above ${owner}`);
        if (inBrowser && specifier.startsWith('node:'))
          problems.push(`${file}: imports ${specifier}, but this code runs in browsers`);
        if (inBrowser && other === 'model' && specifier !== '@fastness/model/release') {
          problems.push(`${file}: imports ${specifier}; only @fastness/model/release runs in browsers`);
        }
      }
      if (inBrowser && /\b(?:Buffer|process)\.\w/.test(text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''))) {
        problems.push(`${file}: uses a global of Node, but this code runs in browsers`);
      }
    }
  }
}

for (const problem of problems) process.stderr.write(`${relative(root, join(root, problem))}\n`);
if (problems.length > 0) process.exit(1);
