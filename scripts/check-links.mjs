// The link check: every relative link of every page leads to a file of the repository, and to a heading that is there.
// Links to other sites are not followed: a linter does not depend on a network.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const linkPattern = /\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g;
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root })
  .toString()
  .split('\n')
  .filter((page) => page !== '' && existsSync(join(root, page)));

const withoutCode = (text) => text.replaceAll(/^(```|~~~)[\s\S]*?^\1/gm, '');

/** The anchors that GitHub gives to headings: lower case, punctuation gone, spaces as hyphens, repeated ones counted. */
function anchorsOf(text) {
  const seen = new Map();
  const anchors = new Set();
  for (const [, heading] of withoutCode(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll(/[`*]/g, '');
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  for (const [, id] of text.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

const problems = [];
for (const page of pages) {
  const text = readFileSync(join(root, page), 'utf8');
  const prose = withoutCode(text).replaceAll(/`[^`\n]*`/g, '');
  for (const [, target] of prose.matchAll(linkPattern)) {
    if (/^[a-z][a-z0-9+.-]*:/.test(target)) continue;
    const [path, anchor] = target.split('#');
    const file = path === '' ? join(root, page) : join(root, dirname(page), decodeURIComponent(path));
    if (relative(root, file).startsWith('..')) problems.push(`${page}: ${target} leads out of the repository`);
    else if (!existsSync(file)) problems.push(`${page}: ${target} is not there`);
    else if (anchor !== undefined && file.endsWith('.md') && !anchorsOf(readFileSync(file, 'utf8')).has(anchor))
      problems.push(`${page}: ${target}: no such heading`);
  }
}

for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exit(1);
