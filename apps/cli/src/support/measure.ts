import { parseEventLog } from '@fastness/attest/event-log';
import {
  compareRtmrLog,
  imageKindOf,
  predictDirectRtmrs,
  predictNitro,
  predictSnp,
  predictTdx,
  predictUki,
  predictUkiRtmrs,
  unpredictedRtmrs,
  type DirectBoot,
  type PredictedRegisters,
  type PredictedRtmrs,
  type SnpMachine,
  type TdxOrder,
} from '@fastness/attest/reference-values';
import { FastnessError } from '@fastness/codec/errors';

/** What an image will be measured as, to be printed. */
export interface Measured {
  /** For programs. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** For people. */
  readonly lines: readonly string[];
}

/** Options of the command that belong to one kind of image. */
export interface MeasureInput {
  readonly bank?: PredictedRegisters['bank'];
  /** Absent: none was described. */
  readonly machine?: SnpMachine;
  /** A trust domain of Intel TDX: the firmware builds it in this order, or it boots the unified kernel image. */
  readonly tdx?: TdxOrder;
  /** What a firmware starts in a trust domain. */
  readonly boot?: DirectBoot;
  /** Log of a boot in a trust domain (CCEL), to be compared. */
  readonly log?: Uint8Array;
}

/**
 * Measures an image of any kind that is known.
 * Throws `CLI_USAGE` when the options do not go with the kind, `IMAGE_*`.
 */
export async function measureImage(image: Uint8Array, input: MeasureInput): Promise<Measured> {
  const { bank, machine, tdx, boot, log } = input;
  const kind = imageKindOf(image);
  if (bank !== undefined && kind !== 'uki') throw usage('--bank goes with unified kernel images only.');
  if ((machine !== undefined || boot !== undefined) && kind !== 'ovmf')
    throw usage('Processors and a kernel go with an OVMF firmware only.');
  if (tdx !== undefined && (kind === 'eif' || machine !== undefined || bank !== undefined))
    throw usage('--tdx goes with an OVMF firmware, with or without a kernel, or with a unified kernel image.');
  if (log !== undefined && (tdx === undefined || (kind === 'ovmf' && boot === undefined)))
    throw usage('--event-log goes with --tdx and a kernel: with --kernel, or a unified kernel image.');
  switch (kind) {
    case 'uki':
      return tdx === undefined ? measureUki(image, bank ?? 'SHA-256') : measureUkiInTd(image, log);
    case 'eif':
      return measureEif(image);
    case 'ovmf':
      break;
  }
  if (tdx !== undefined) return measureTdvf(image, tdx, boot, log);
  if (machine === undefined) {
    throw usage(
      'Say what the firmware starts: --cpus, --cpu-type, and --kernel unless it boots from a disk; or --tdx.',
    );
  }
  return measureOvmf(image, machine);
}

async function measureUki(image: Uint8Array, bank: PredictedRegisters['bank']): Promise<Measured> {
  const predicted = await predictUki(image, { bank });
  const policy = {
    ...(bank === 'SHA-256' ? {} : { bank }),
    measurementPcr: 4,
    measurements: 'from-release',
    pcrs: { 9: [predicted.pcrs['9']], 11: [predicted.pcrs['11']] },
    events: predicted.events,
    eventLog: 'required',
  };
  return {
    facts: { ...predicted, policy },
    lines: [
      `Registers in the ${bank} bank, once it is booted from a disk:`,
      ...linesOf(predicted),
      ...next(`tpm:${predicted.pcrs['4'] ?? ''}`, 'tpm section of a policy, beside attestationKeys', policy),
    ],
  };
}

async function measureEif(image: Uint8Array): Promise<Measured> {
  const predicted = await predictNitro(image);
  const { 0: whole = '', ...others } = predicted.pcrs;
  const policy = {
    measurements: 'from-release',
    pcrs: Object.fromEntries(Object.entries(others).map(([index, value]) => [index, [value]])),
  };
  return {
    facts: { ...predicted, policy },
    lines: [
      `Registers of an enclave of AWS Nitro (${predicted.architecture}), not in debug mode:`,
      ...Object.entries(predicted.pcrs).flatMap(([index, value]) => [
        `  PCR${index}  ${value}`,
        `         ${predicted.names[index] ?? ''}`,
      ]),
      'Sections, SHA-384:',
      ...predicted.sections.map(({ kind, bytes, digest, registers }) => {
        const where = registers.length === 0 ? 'not measured' : `registers ${registers.join(' and ')}`;
        return `  ${digest}  ${kind}, ${bytes} bytes, ${where}`;
      }),
      ...next(`aws-nitro:${whole}`, 'nitro section of a policy', policy),
    ],
  };
}

async function measureOvmf(image: Uint8Array, machine: SnpMachine): Promise<Measured> {
  const predicted = await predictSnp(image, machine);
  const policy = { measurements: 'from-release' };
  return {
    facts: { ...predicted, policy },
    lines: [
      `Launch digest of a machine with SEV-SNP and ${machine.processors} processors:`,
      `  ${predicted.launchDigest}`,
      predicted.coversKernel
        ? '  It covers the firmware, the kernel, its archive and its command line.'
        : '  It covers the firmware and no kernel: whatever the disk holds is not in it.',
      ...next(`sev-snp:${predicted.launchDigest}`, 'snp section of a policy', policy),
    ],
  };
}

async function measureTdvf(
  image: Uint8Array,
  order: TdxOrder,
  boot: DirectBoot | undefined,
  log: Uint8Array | undefined,
): Promise<Measured> {
  const predicted = await predictTdx(image, { order });
  const rtmrs = boot === undefined ? undefined : await predictDirectRtmrs(boot);
  const booted = compared(rtmrs, log);
  const policy = { measurements: 'from-release', ...(rtmrs === undefined ? {} : { rtmrs: acceptedOf(rtmrs) }) };
  return {
    facts: { ...predicted, ...(rtmrs === undefined ? {} : { rtmrs }), ...booted.facts, policy },
    lines: [
      'MRTD of a trust domain of Intel TDX that QEMU builds:',
      `  ${predicted.mrtd}`,
      ...(rtmrs === undefined
        ? ['  It covers the firmware. What the firmware starts is in the RTMRs: give --kernel, --initrd and --append.']
        : linesOfRtmrs(rtmrs)),
      ...booted.lines,
      ...next(`tdx:${predicted.mrtd}`, 'tdx section of a policy', policy),
    ],
  };
}

async function measureUkiInTd(image: Uint8Array, log: Uint8Array | undefined): Promise<Measured> {
  const rtmrs = await predictUkiRtmrs(image);
  const booted = compared(rtmrs, log);
  const policy = { measurements: 'from-release', rtmrs: acceptedOf(rtmrs) };
  return {
    facts: { rtmrs, ...booted.facts, policy },
    lines: [
      ...linesOfRtmrs(rtmrs),
      ...booted.lines,
      'For the release: MRTD, of the firmware that boots it (fastness measure OVMF.fd --tdx).',
      'For the tdx section of a policy:',
      JSON.stringify(policy),
    ],
  };
}

/** What the log of a boot says of it. Throws IMAGE_EVENT_DIFFERS, EVENT_LOG_... */
function compared(rtmrs: PredictedRtmrs | undefined, log: Uint8Array | undefined): Measured {
  if (rtmrs === undefined || log === undefined) return { facts: {}, lines: [] };
  const found = compareRtmrLog(parseEventLog(log, { padding: 'accepted' }), rtmrs);
  return {
    facts: { eventLog: { 1: found[1].value, 2: found[2].value } },
    lines: [
      'The log of the boot has these events:',
      ...([1, 2] as const).map((index) => `  RTMR${index}  ${found[index].value}`),
    ],
  };
}

function acceptedOf(rtmrs: PredictedRtmrs): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(Object.entries(rtmrs).map(([index, list]) => [index, valuesOf(list)]));
}

function valuesOf(list: PredictedRtmrs[1]): readonly string[] {
  return [...new Set(list.map(({ value }) => value))];
}

function linesOfRtmrs(rtmrs: PredictedRtmrs): string[] {
  return [
    'Run-time registers, once it has booted; each value with its events (SHA-384):',
    `  RTMR0  not predicted: ${unpredictedRtmrs[0]}`,
    ...([1, 2] as const).flatMap((index) =>
      rtmrs[index].flatMap(({ value, events, names, holdsFor }) => [
        `  RTMR${index}  ${value}${holdsFor === undefined ? '' : `  (${holdsFor})`}`,
        ...events.map((digest, place) => `         ${digest}  ${names[place] ?? ''}`),
      ]),
    ),
    `  RTMR3  not predicted: ${unpredictedRtmrs[3]}`,
  ];
}

function next(measurement: string, section: string, policy: unknown): readonly string[] {
  return [`For the release: fastness sign --measurement ${measurement}`, `For the ${section}:`, JSON.stringify(policy)];
}

function linesOf({ pcrs, events, names }: PredictedRegisters): string[] {
  return Object.entries(pcrs).flatMap(([index, value]) => {
    const explained = (events[index] ?? []).map(
      (digest, place) => `         ${digest}  ${names[index]?.[place] ?? ''}`,
    );
    return [`  PCR${index}  ${value}`].concat(explained);
  });
}

function usage(detail: string): FastnessError {
  return new FastnessError('CLI_USAGE', detail);
}
