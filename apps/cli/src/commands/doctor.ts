import { resolve } from 'node:path';
import { Command } from 'commander';
import { FastnessError } from '@fastness/codec/errors';
import { action } from '../support/command.ts';
import { examine, type Examination } from '../support/doctor/examine.ts';
import { linesOf } from '../support/doctor/print.ts';

interface DoctorOptions {
  readonly tpm?: string;
  readonly eventLog?: string;
  readonly nvml?: string;
  readonly nvattest?: string;
  readonly psa?: string;
  readonly root: string;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description(
      'say what evidence this machine can give, what is missing, and what a policy could ask of it; exit code 7 where it can give none',
    )
    .option('--tpm <path>', 'device of the TPM, or the socket of an emulator (ending in .sock)')
    .option('--event-log <file>', "log of the firmware (default: the kernel's)")
    .option('--nvml <library>', "NVIDIA's management library (default: libnvidia-ml.so.1)")
    .option('--nvattest <command>', "NVIDIA's command line tool for switches (default: nvattest)")
    .option('--psa <command>', 'command that prints a PSA token for the nonce, in hex, in its argument')
    .option('--root <folder>', 'examine the /proc, /sys and /dev below this folder', '/')
    .action(
      action<DoctorOptions>(async ({ output }, { tpm, eventLog, nvml, nvattest, psa, root }) => {
        const examination: Examination = await examine({
          root: resolve(root),
          ...(tpm === undefined ? {} : { tpm: resolve(tpm) }),
          ...(eventLog === undefined ? {} : { eventLog: resolve(eventLog) }),
          ...(nvml === undefined ? {} : { nvml }),
          ...(nvattest === undefined ? {} : { nvattest }),
          ...(psa === undefined ? {} : { psa }),
        });
        output.result({ ...examination }, linesOf(examination));
        if (examination.used === undefined) {
          const looked = [...new Set(examination.devices.map(({ path }) => path))].join(', ');
          throw new FastnessError('EVIDENCE_NO_TEE', `Looked at ${looked}.`);
        }
      }),
    );
}
