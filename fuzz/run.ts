// Fuzzes the readers of untrusted bytes, guided by coverage. Run: npm run fuzz [-- --seconds N] [target ...]
// Ten minutes over all targets by default. What fails is kept in fuzz/findings, and makes the exit code 1.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openSession } from './session.ts';
import { seedsByTarget } from './seeds.ts';
import { targets } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});
const unknown = positionals.filter((name) => !targets.has(name));
if (unknown.length > 0) {
  process.stderr.write(`No target ${unknown.join(', ')}. There are: ${[...targets.keys()].join(', ')}\n`);
  process.exit(2);
}
const names = positionals.length > 0 ? positionals : [...targets.keys()];
const seconds = Number(values.seconds) / names.length;
const seed = Number(values.seed);
if (!(seconds > 0) || !Number.isInteger(seed)) {
  process.stderr.write('--seconds takes a number above 0, --seed a whole number.\n');
  process.exit(2);
}

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
const findings = fileURLToPath(new URL('findings/', import.meta.url));
await using session = await openSession(new URL('targets.ts', import.meta.url));
const seeds = await seedsByTarget();
process.stdout.write(`seed ${seed}, ${seconds.toFixed(1)} s a target\n`);
let failed = 0;
for (const target of names) {
  if (stop.signal.aborted) break;
  try {
    const report = await session.run({ target, seeds: seeds.get(target) ?? [], seconds, seed, signal: stop.signal });
    const { runs, places, corpus, slowest, finding } = report;
    process.stdout.write(
      `${target.padEnd(24)} ${String(runs).padStart(8)} runs ${String(places).padStart(5)} places ${String(corpus.length).padStart(5)} inputs kept   slowest ${slowest.milliseconds.toFixed(0)} ms\n`,
    );
    if (finding === undefined) continue;
    failed += 1;
    const name = `${target}-${createHash('sha256').update(finding.input).digest('hex').slice(0, 16)}`;
    await mkdir(findings, { recursive: true });
    await writeFile(`${findings}${name}`, finding.input);
    process.stdout.write(`  FOUND: ${finding.error}\n  kept as fuzz/findings/${name}\n`);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
}
if (stop.signal.aborted) process.stderr.write('Interrupted.\n');
process.exitCode = failed > 0 || stop.signal.aborted ? 1 : 0;
