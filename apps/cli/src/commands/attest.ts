import { Command } from 'commander';
import { formatNames } from '../support/attest/evidence-file.ts';
import { printJudgement } from '../support/attest/print.ts';
import { reportsToStdout, writeReports, type ReportOptions } from '../support/attest/reports.ts';
import { runJudgement, type JudgementOptions } from '../support/attest/run-judgement.ts';
import { action } from '../support/command.ts';
import { withSourceOptions } from '../support/endorsements.ts';
import { programVersion } from '../support/version.ts';

export function attestCommand(): Command {
  const attest = new Command('attest').description(
    'verify the evidence of any supported TEE, for people and pipelines',
  );
  withJudgementOptions(
    attest
      .command('verify')
      .description(
        'verify evidence offline (a file), or a running enclave (a URL); exit code 0 only if the policy accepts it, otherwise the class of the error',
      )
      .argument(
        '<file-or-url>',
        'evidence: CMW (JSON or CBOR), a collection, or what the vendor tools write; or an http(s) address',
      ),
  )
    .option('--sarif <file>', 'write a SARIF 2.1.0 report, - for standard output')
    .option('--junit <file>', 'write a JUnit report, - for standard output')
    .action(
      action<JudgementOptions & ReportOptions>(async ({ output, signal }, options, [target = '']) => {
        const quiet = reportsToStdout(options);
        const judgement = await runJudgement(target, options, signal);
        await writeReports(judgement, options, programVersion);
        if (!quiet) printJudgement(output, judgement);
        if (!quiet && judgement.error?.code.endsWith('_MISSING') === true && options.endorsementsCache === undefined)
          output.warn('With --endorsements-cache DIR, what the vendors publish about this evidence is fetched.');
        if (judgement.error !== undefined) throw judgement.error;
      }),
    );
  return attest;
}

/** Options that say what is verified, against what, and as of when. Nothing that matters has a default. */
export function withJudgementOptions(command: Command): Command {
  return withSourceOptions(command, 'fetch what the evidence lacks, and keep it in this folder')
    .option(
      '--policy <file>',
      'what is accepted: an attestation policy, or the policy of a client or broker (JSON or YAML)',
    )
    .option('--at <time>', 'time as of which everything must be valid: now, or ISO 8601 with a zone')
    .option(
      '--endorsements <files...>',
      'certificates, revocation lists, collateral, or a bundle of `fastness endorsements`',
    )
    .option(
      '--nonce <hex>',
      'what the evidence answers; shorter than the report data of 64 bytes, it is followed by zeros',
    )
    .option('--report-data <hex>', 'the exact bytes that the evidence must carry')
    .option(
      '--session <file>',
      'purpose, nonce, keyConfigDigest and releaseDigest of an exchange; needed for collections',
    )
    .option('--without-nonce <reason>', 'verify a record whose nonce is not known; reported as a waiver')
    .option('--format <kind>', `how to read the file: ${formatNames.join(', ')}`, 'auto')
    .option('--anchors <file>', "roots that count instead of the vendors' (for tests and private roots); reported");
}
