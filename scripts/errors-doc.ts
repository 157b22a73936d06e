// Writes docs/errors.md from the error registry, or with --check says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { errorClasses, errorRegistry, type ErrorClass, type ErrorFacts } from '@fastness/codec/errors';

const path = new URL('../docs/errors.md', import.meta.url);
const cell = (text: string): string => text.replaceAll('|', '\\|');

const classes = Object.entries(errorClasses).map(
  ([name, facts]) => `| \`${name}\` | ${facts.exitCode} | ${facts.httpStatus} | ${cell(facts.meaning)} |`,
);
const codes = Object.entries(errorRegistry as Record<string, ErrorFacts>)
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(
    ([code, facts]) =>
      `| \`${code}\` | \`${facts.class satisfies ErrorClass}\` | ${cell(facts.message)} | ${cell(facts.next)} |`,
  );

const text = `# Errors

Made by \`npm run docs:errors\` from \`packages/codec/src/errors\`; do not edit. Codes are stable: tests, HTTP problem
details (RFC 9457), exit codes and this page share them.

<!-- prettier-ignore-start -->

| class | exit code | HTTP status | meaning |
| --- | --- | --- | --- |
${classes.join('\n')}

| code | class | what is wrong | what to do |
| --- | --- | --- | --- |
${codes.join('\n')}

<!-- prettier-ignore-end -->
`;

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  process.stderr.write('docs/errors.md is out of date. Next: npm run docs:errors\n');
  process.exit(1);
}
