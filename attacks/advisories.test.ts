import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const rows = readFileSync(join(root, 'docs/advisories.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| (?:CVE|GHSA)-/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

describe('the page of advisories', () => {
  it('has rows', () => {
    expect(rows.length).toBeGreaterThan(10);
  });

  it.each(rows.map((row) => [row[1] ?? '', row[4] ?? '']))('names a test for %s: %s', (_, cell) => {
    const [, file, title] = /^`([\w./-]+)` "(.+)"$/.exec(cell) ?? [];
    const text = readFileSync(join(root, file ?? 'no file'), 'utf8');
    expect([`'${title}'`, `"${title}"`].some((quoted) => text.includes(quoted))).toBe(true);
  });
});
