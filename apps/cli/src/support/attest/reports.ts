import { FastnessError } from '@fastness/codec/errors';
import { writeFileAtomic } from '../home.ts';
import { processStreams } from '../output.ts';
import { junitOf } from './junit.ts';
import type { Judgement } from './judge.ts';
import { sarifOf } from './sarif.ts';

/** Reports for CI that the command line asks for: paths, or - for standard output. */
export interface ReportOptions {
  readonly sarif?: string;
  readonly junit?: string;
  readonly json?: boolean;
}

/** Whether standard output belongs to a report. Throws CLI_USAGE when two things want it. */
export function reportsToStdout({ sarif, junit, json }: ReportOptions): boolean {
  const claims = [sarif === '-', junit === '-'].filter(Boolean).length;
  if (claims + (json === true ? 1 : 0) > 1 && claims > 0)
    throw new FastnessError('CLI_USAGE', 'Standard output takes one of --json, --sarif - and --junit -.');
  return claims > 0;
}

/** Writes the reports whatever the outcome: a pipeline shows a refusal as well. Throws CLI_FILE_UNWRITABLE. */
export async function writeReports(judgement: Judgement, options: ReportOptions, version: string): Promise<void> {
  const reports = [
    [options.sarif, () => sarifOf(judgement, version)],
    [options.junit, () => junitOf(judgement)],
  ] as const;
  for (const [path, text] of reports) {
    if (path === '-') processStreams.out(text());
    else if (path !== undefined) await write(path, text());
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(path, text, 0o644);
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNWRITABLE', path, { cause });
  }
}
