import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { predictUki, type PredictedRegisters } from '@fastness/attest/reference-values';
import { FastnessError } from '@fastness/codec/errors';
import { action } from '../support/command.ts';

interface MeasureOptions {
  readonly bank: PredictedRegisters['bank'];
}

export function measureCommand(): Command {
  return new Command('measure')
    .description(
      'compute what an image will measure as, without booting it: reference values for a policy and a release. ' +
        'Reads unified kernel images (TPM registers 4, 9 and 11)',
    )
    .argument('<image>', 'the image, such as the fastness.efi that `npm run image` writes')
    .addOption(
      new Option('--bank <hash>', 'bank of registers').choices(['SHA-256', 'SHA-384', 'SHA-512']).default('SHA-256'),
    )
    .action(
      action<MeasureOptions>(async ({ output }, { bank }, [path = '']) => {
        const image = await readFile(path).catch((cause: unknown) => {
          throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
        });
        const predicted = await predictUki(new Uint8Array(image), { bank });
        const policy = {
          ...(bank === 'SHA-256' ? {} : { bank }),
          measurementPcr: 4,
          measurements: 'from-release',
          pcrs: { 9: [predicted.pcrs['9']], 11: [predicted.pcrs['11']] },
          events: predicted.events,
          eventLog: 'required',
        };
        output.result({ image: path, ...predicted, policy }, [
          `Registers of ${path} in the ${bank} bank, once it is booted from a disk:`,
          ...linesOf(predicted),
          `For the release: fastness sign --measurement tpm:${predicted.pcrs['4'] ?? ''}`,
          `For the tpm section of a policy, beside attestationKeys:`,
          JSON.stringify(policy),
        ]);
      }),
    );
}

function linesOf({ pcrs, events, names }: PredictedRegisters): string[] {
  return Object.entries(pcrs).flatMap(([index, value]) => {
    const explained = (events[index] ?? []).map(
      (digest, place) => `         ${digest}  ${names[index]?.[place] ?? ''}`,
    );
    return [`  PCR${index}  ${value}`].concat(explained);
  });
}
