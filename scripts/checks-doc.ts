// Writes docs/checks.md: every check on evidence, the code it fails with, and the tests that break only it. With --check,
// says whether the page is up to date. Fails where a check has no test.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { ErrorFacts } from '@fastness/codec/errors';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs/checks.md');
const errorFolder = join(root, 'packages/codec/src/errors');
const testFolder = join(root, 'packages/attest/test');
const supportFolder = join(testFolder, 'support');

const cell = (text: string): string => text.replaceAll('|', '\\|');
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

async function exportsOf(path: string): Promise<unknown[]> {
  const module: unknown = await import(pathToFileURL(path).href);
  return isRecord(module) ? Object.values(module) : [];
}

const isFacts = (value: unknown): value is ErrorFacts => isRecord(value) && typeof value['message'] === 'string';

/** The codes of one area, in the order of its table. */
async function readArea(file: string): Promise<readonly (readonly [code: string, facts: ErrorFacts])[]> {
  const tables = await exportsOf(join(errorFolder, file));
  const rows = tables
    .filter((table) => isRecord(table))
    .flatMap((table) => Object.entries(table))
    .flatMap(([code, facts]) => (isFacts(facts) ? [[code, facts] as const] : []));
  return [...new Map(rows)];
}

interface Case {
  readonly what: string;
  readonly file: string;
}

/** Cases that break one thing: lists of [code, what, ...] that the support files of the tests export. */
async function readCases(): Promise<ReadonlyMap<string, Case[]>> {
  const cases = new Map<string, Case[]>();
  const files = readdirSync(supportFolder).filter((file) => /failures.*\.ts$/.test(file));
  for (const file of files) {
    for (const list of await exportsOf(join(supportFolder, file))) {
      if (!Array.isArray(list)) continue;
      for (const entry of list as unknown[]) {
        if (!Array.isArray(entry)) continue;
        const [code, what] = entry as unknown[];
        if (typeof code !== 'string' || typeof what !== 'string') continue;
        cases.set(code, [...(cases.get(code) ?? []), { what, file: relative(root, join(supportFolder, file)) }]);
      }
    }
  }
  return cases;
}

/** Test files by name, to find the codes that are tested in a test of their own. */
function readTests(): readonly (readonly [file: string, text: string])[] {
  const folders = [
    'packages/attest/test',
    'packages/codec/test',
    'packages/channel/test',
    'apps/cli/test',
    'packages/client/test',
  ];
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file))
      .toSorted()
      .map((file) => [file, readFileSync(join(root, file), 'utf8')] as const),
  );
}

const SHOWN = 3;
const cases = await readCases();
const tests = readTests();
const untested: string[] = [];

function testsOf(code: string): string {
  const found = cases.get(code) ?? [];
  if (found.length > 0) {
    const shown = found.slice(0, SHOWN).map(({ what }) => what);
    const more = found.length > SHOWN ? `; ${found.length - SHOWN} more` : '';
    const files = [...new Set(found.map(({ file }) => file.replace('packages/attest/test/support/', '')))];
    return `${cell(shown.join('; '))}${more} (\`${files.join('`, `')}\`)`;
  }
  const file = tests.find(([, text]) => text.includes(`'${code}'`))?.[0];
  if (file === undefined) untested.push(code);
  return file === undefined ? '**none**' : `\`${file.replace('packages/attest/test/', '')}\``;
}

const sections: string[] = [];
const seen = new Set<string>();
for (const file of readdirSync(errorFolder)
  .filter((name) => /^(?:attest|x509|cose)/.test(name))
  .toSorted()) {
  // The table of attest holds those of the formats as well; they come first.
  const area = (await readArea(file)).filter(([code]) => !seen.has(code));
  if (area.length === 0) continue;
  for (const [code] of area) seen.add(code);
  const rows = area.map(([code, { message }]) => `| ${cell(message)} | \`${code}\` | ${testsOf(code)} |`);
  sections.push(
    `## ${file.replace(/\.ts$/, '')}\n\n| fails when | code | tests |\n| --- | --- | --- |\n${rows.join('\n')}`,
  );
}

const text = `# Checks

Made by \`npm run docs:checks\` from the error registry and the failure tables of the tests; do not edit. Each line is a check
on evidence or on what endorses it: when it fails, the one code it fails with, and the tests that break only it. Tests named
by words are lines of a table in \`packages/attest/test/support\`; every line is forged, with real signatures, to have exactly
that one thing wrong. ${seen.size} checks.

<!-- prettier-ignore-start -->

${sections.join('\n\n')}

<!-- prettier-ignore-end -->
`;

const problems: string[] = untested.map((code) => `${code} has no test.`);
if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (readFileSync(page, 'utf8') !== text) problems.push('docs/checks.md is out of date. Next: npm run docs:checks');
if (problems.length > 0) {
  process.stderr.write(`${problems.join('\n')}\n`);
  process.exitCode = 1;
}
