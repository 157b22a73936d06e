import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  cpuSignatures,
  type DirectBoot,
  type PredictedRegisters,
  type SnpMachine,
  type TdxOrder,
} from '@fastness/attest/reference-values';
import { fromHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { action } from '../support/command.ts';
import { measureImage, type MeasureInput } from '../support/measure.ts';
import { wholeNumber } from '../support/option-values.ts';

interface MeasureOptions {
  readonly bank?: PredictedRegisters['bank'];
  readonly cpus?: number;
  readonly cpuType?: string;
  readonly features?: bigint;
  readonly hypervisor?: NonNullable<SnpMachine['hypervisor']>;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly tdx?: TdxOrder;
  readonly eventLog?: string;
  readonly config?: string;
  readonly release?: Uint8Array;
  readonly quote?: string;
}

export function measureCommand(): Command {
  return new Command('measure')
    .description(
      'compute what an image will measure as, without booting it: reference values for a policy and a release. ' +
        'Reads unified kernel images (TPM registers 4, 9 and 11; with --tdx, RTMR 1 and 2), enclave images of AWS Nitro ' +
        '(EIF: registers 0, 1, 2 and 8), and OVMF firmware (launch digest of SEV-SNP; with --tdx, MRTD of Intel TDX and, with ' +
        'the kernel that is started, RTMR 1 and 2). Reads the log of a boot in a trust domain as well (CCEL)',
    )
    .argument('<image>', 'the image, such as the fastness.efi that `npm run image` writes')
    .addOption(
      new Option('--bank <hash>', 'unified kernel image: bank of registers (default: SHA-256)').choices([
        'SHA-256',
        'SHA-384',
        'SHA-512',
      ]),
    )
    .addOption(new Option('--cpus <count>', 'OVMF: processors of the machine').argParser(wholeNumber(1, 9999)))
    .option(
      '--cpu-type <type>',
      `OVMF in QEMU: processor (${Object.keys(cpuSignatures).join(', ')}) or its signature, such as 0xa10f10`,
    )
    .addOption(
      new Option(
        '--features <bits>',
        'OVMF: SEV_FEATURES (default: 1; 0x21 where debug registers are swapped)',
      ).argParser(bits),
    )
    .addOption(
      new Option('--hypervisor <name>', 'OVMF: what starts the machine (default: qemu)').choices([
        'qemu',
        'ec2',
        'gce',
      ]),
    )
    .option('--kernel <file>', 'OVMF: kernel that is booted directly, on SEV-SNP with kernel-hashes=on')
    .option('--initrd <file>', 'OVMF: its archive')
    .option('--append <line>', 'OVMF: its command line')
    .addOption(
      new Option(
        '--tdx [order]',
        'the trust domain of Intel TDX that QEMU builds; pages of OVMF are measured one by one (page: Linux from 6.16 on, the ' +
          'default) or after all of their section were added (section: Canonical with QEMU 8.2)',
      )
        .choices(['page', 'section'])
        .preset('page'),
    )
    .option(
      '--event-log <file>',
      'with --tdx and a kernel: log of a boot to compare (in the guest /sys/firmware/acpi/tables/data/CCEL); the first event that ' +
        'differs is named',
    )
    .option(
      '--config <file>',
      'with --tdx and --release: configuration that the enclave is started with (enclave.json), which it extends RTMR3 with',
    )
    .addOption(
      new Option('--release <digest>', 'with --tdx and --config: release digest that it asks the key of').argParser(
        digest,
      ),
    )
    .option(
      '--quote <file>',
      'log of a boot: the TDX quote of that boot, which has to have the registers it replays to',
    )
    .action(
      action<MeasureOptions>(async ({ output }, options, [path = '']) => {
        const { bank, tdx, eventLog, quote } = options;
        const runtime = await runtimeOf(options);
        // A trust domain is measured as the same thing however many processors it has.
        const boot = tdx === undefined ? undefined : await bootOf(options);
        const machine = boot === undefined ? await machineOf(options) : undefined;
        const { facts, lines } = await measureImage(await read(path), {
          ...(bank === undefined ? {} : { bank }),
          ...(machine === undefined ? {} : { machine }),
          ...(boot === undefined ? {} : { boot }),
          ...(tdx === undefined ? {} : { tdx }),
          ...(eventLog === undefined ? {} : { log: await read(eventLog) }),
          ...(runtime === undefined ? {} : { runtime }),
          ...(quote === undefined ? {} : { quote: await read(quote) }),
        });
        output.result({ image: path, ...facts }, [`${path}:`, ...lines]);
      }),
    );
}

/** The machine that the options describe, if any of them does. Throws `CLI_USAGE`. */
async function machineOf(options: MeasureOptions): Promise<SnpMachine | undefined> {
  const { cpus, cpuType, features, hypervisor, kernel, initrd, append } = options;
  const boot = await bootOf(options);
  const given = [cpus, cpuType, features, hypervisor, kernel, initrd, append];
  if (given.every((each) => each === undefined)) return undefined;
  if (cpus === undefined)
    throw new FastnessError('CLI_USAGE', 'Give --cpus: the digest depends on how many there are.');
  return {
    processors: cpus,
    ...(cpuType === undefined ? {} : { processor: cpuType.startsWith('0x') ? Number(cpuType) : cpuType }),
    ...(features === undefined ? {} : { features }),
    ...(hypervisor === undefined ? {} : { hypervisor }),
    ...(boot === undefined ? {} : { kernel: boot }),
  };
}

/** What the options say that is started directly, if anything. Throws `CLI_USAGE`. */
async function bootOf({ kernel, initrd, append }: MeasureOptions): Promise<DirectBoot | undefined> {
  if (kernel === undefined) {
    if (initrd === undefined && append === undefined) return undefined;
    throw new FastnessError('CLI_USAGE', '--initrd and --append go with --kernel.');
  }
  return {
    image: await read(kernel),
    ...(initrd === undefined ? {} : { archive: await read(initrd) }),
    ...(append === undefined ? {} : { commandLine: append }),
  };
}

/** What an enclave measures of itself, if the options say. Throws `CLI_USAGE`. */
async function runtimeOf({ config, release }: MeasureOptions): Promise<MeasureInput['runtime']> {
  if (config === undefined && release === undefined) return undefined;
  if (config === undefined || release === undefined)
    throw new FastnessError('CLI_USAGE', '--config and --release go together: RTMR3 is of both.');
  const configuration = new Uint8Array(
    createHash('sha256')
      .update(await read(config))
      .digest(),
  );
  return { configuration, release };
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new FastnessError('CLI_FILE_UNREADABLE', path, { cause });
  }
}

function digest(text: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError('Expected 32 bytes in lower-case hex.');
  return fromHex(text);
}

function bits(text: string): bigint {
  if (!/^(?:0x[0-9a-fA-F]{1,16}|[0-9]{1,20})$/.test(text))
    throw new InvalidArgumentError('Expected a number, such as 1 or 0x21.');
  return BigInt(text);
}
