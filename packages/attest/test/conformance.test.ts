import { afterAll, describe, expect, it } from 'vitest';
import { bundleForBrowser, chromiumPath, chromiumPresent, withPage } from './support/browser/chromium.ts';
import { toWire, verdictOf } from './support/browser/wire.ts';
import { conformanceCases, notJudged } from './support/conformance/cases.ts';
import { readTable, vectorsPresent } from './support/vectors.ts';

const counts = new Map<string, Map<string, number>>();

function count(tee: string, verdict: string): void {
  const verdicts = counts.get(tee) ?? new Map<string, number>();
  verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
  counts.set(tee, verdicts);
}

describe.skipIf(!vectorsPresent)('recorded evidence', () => {
  afterAll(() => {
    for (const [tee, verdicts] of counts) {
      const accepted = verdicts.get('accept') ?? 0;
      const refused = [...verdicts].filter(([verdict]) => verdict !== 'accept');
      const total = refused.reduce((sum, [, times]) => sum + times, accepted);
      const codes = refused.map(([code, times]) => `${code} ${times}`).join(', ');
      process.stdout.write(
        `${tee}: ${total} cases, ${accepted} accepted${codes === '' ? '' : `, refused: ${codes}`}\n`,
      );
    }
    for (const { row, why } of notJudged) process.stdout.write(`not judged: ${row}: ${why}\n`);
  });

  it('has a case, or a reason for none, for every row of the index', () => {
    const covered = new Set([...conformanceCases, ...notJudged].map(({ row }) => row));
    const rows = readTable('INDEX.tsv');
    const files = rows.map((row) => row['files (under vectors/)']?.split(' ; ')[0] ?? '');
    expect(files.length).toBeGreaterThan(70);
    expect(files.filter((file) => !covered.has(file))).toEqual([]);
  });

  it('gives no reason for a row that it judges', () => {
    const judged = new Set(conformanceCases.map(({ row }) => row));
    expect(notJudged.filter(({ row }) => judged.has(row))).toEqual([]);
  });

  it.each(conformanceCases)('$tee: $name: $verdict', async ({ tee, verdict, options }) => {
    const found = await verdictOf(toWire(await options()));
    count(tee, found);
    expect(found).toBe(verdict);
  });

  it.skipIf(!chromiumPresent)(`gets the same verdicts in headless Chromium (${chromiumPath})`, async () => {
    const script = await bundleForBrowser(new URL('support/browser/page.ts', import.meta.url));
    const wires = await Promise.all(conformanceCases.map(async ({ options }) => toWire(await options())));
    const { verdicts, version } = await withPage(script, async (page, version) => ({
      verdicts: await page.evaluate(async (cases) => globalThis.judgeAll(cases), wires),
      version,
    }));
    expect(conformanceCases.map(({ name }, index) => [name, verdicts[index]])).toEqual(
      conformanceCases.map(({ name, verdict }) => [name, verdict]),
    );
    process.stdout.write(`headless Chromium ${version}: ${verdicts.length} verdicts, all as in Node\n`);
  });
});
