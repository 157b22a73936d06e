import { Command } from 'commander';
import { openAnchor } from '@fastness/broker';
import { toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { action } from '../support/command.ts';
import { ANCHOR_KINDS, freshnessConfig, type FreshnessOptions } from '../support/freshness.ts';

/** `fastness freshness`: what keeps a broker's state from being put back. */
export function freshnessCommand(): Command {
  const freshness = new Command('freshness').description("look at what keeps a broker's state from being put back");
  freshness
    .command('show')
    .description('read an anchor; nothing is changed. Stop a broker that uses the same swtpm socket first')
    .argument('<anchor>', ANCHOR_KINDS)
    .option('--freshness-password <file>', 'file with the password of the TPM indexes, or of the PostgreSQL user')
    .option('--freshness-name <name>', 'row of an anchor in a database (default: broker)')
    .option('--owner-password <file>', "file with the password of the TPM's owner")
    .action(
      action<FreshnessOptions>(async ({ output }, options, [anchorText = '']) => {
        const config = freshnessConfig({ ...options, freshness: anchorText });
        if (config.anchor === 'none') throw new FastnessError('FRESHNESS_CONFIG', 'Name an anchor.');
        await using anchor = await openAnchor(config);
        const identity = await anchor.identity();
        const facts = { kind: anchor.kind, description: anchor.description, trust: anchor.trust };
        if (identity === undefined) {
          output.result({ ...facts, made: false }, [`No anchor yet: ${anchor.description}`, 'A broker makes it.']);
          return;
        }
        const { value, history } = await anchor.read();
        output.result({ ...facts, made: true, identity, value: value.toString(), history: toHex(history) }, [
          `Anchor: ${anchor.description}`,
          `  value     ${value}`,
          `  history   ${toHex(history)}`,
          `  identity  ${identity}`,
          `  trust     ${anchor.trust}`,
        ]);
      }),
    );
  return freshness;
}
