// Writes docs/openapi.json from the broker's schemas, or with --check says whether it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { describeRoutes } from '../apps/broker/src/operations/openapi.ts';

const path = new URL('../docs/openapi.json', import.meta.url);
const text = `${JSON.stringify(describeRoutes(), undefined, 1)}\n`;

if (!process.argv.includes('--check')) writeFileSync(path, text);
else if (readFileSync(path, 'utf8') !== text) {
  process.stderr.write('docs/openapi.json is out of date. Next: npm run docs:openapi\n');
  process.exit(1);
}
