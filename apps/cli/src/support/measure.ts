import { parseEventLog } from '@fastness/attest/event-log';
import {
  compareRtmrLog,
  imageKindOf,
  predictDirectRtmrs,
  predictNitro,
  predictRuntimeRtmr,
  predictSnp,
  predictTdx,
  predictUki,
  predictUkiRtmrs,
  rtmrPolicyOf,
  unpredictedRtmrs,
  type DirectBoot,
  type PredictedRegisters,
  type PredictedRtmr,
  type PredictedRtmrs,
  type SnpMachine,
  type TdxOrder,
} from '@fastness/attest/reference-values';
import { FastnessError } from '@fastness/codec/errors';
import { isEventLog, measureLog } from './measure-log.ts';

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
  /** What an enclave extends RTMR3 of a trust domain with: SHA-256 of its configuration, and the release digest. */
  readonly runtime?: { readonly configuration: Uint8Array; readonly release: Uint8Array };
  /** Quote of the boot whose log is measured. */
  readonly quote?: Uint8Array;
}

/**
 * Measures an image of any kind that is known.
 * Throws `CLI_USAGE` when the options do not go with the kind, `IMAGE_*`.
 */
export async function measureImage(image: Uint8Array, input: MeasureInput): Promise<Measured> {
  const { bank, machine, tdx, boot, log, runtime, quote } = input;
  if (isEventLog(image)) {
    if ([bank, machine, tdx, boot, log, runtime].some((each) => each !== undefined))
      throw usage('Only --quote goes with the log of a boot.');
    return measureLog(image, quote);
  }
  const kind = imageKindOf(image);
  if (quote !== undefined) throw usage('--quote goes with the log of a boot.');
  if (runtime !== undefined && tdx === undefined) throw usage('--config and --release go with --tdx.');
  if (bank !== undefined && kind !== 'uki') throw usage('--bank goes with unified kernel images only.');
  if ((machine !== undefined || boot !== undefined) && kind !== 'ovmf')
    throw usage('Processors and a kernel go with an OVMF firmware only.');
  if (tdx !== undefined && (kind === 'eif' || machine !== undefined || bank !== undefined))
    throw usage('--tdx goes with an OVMF firmware, with or without a kernel, or with a unified kernel image.');
  if (log !== undefined && (tdx === undefined || (kind === 'ovmf' && boot === undefined)))
    throw usage('--event-log goes with --tdx and a kernel: with --kernel, or a unified kernel image.');
  switch (kind) {
    case 'uki':
      return tdx === undefined ? measureUki(image, bank ?? 'SHA-256') : measureUkiInTd(image, input);
    case 'eif':
      return measureEif(image);
    case 'ovmf':
      break;
  }
  if (tdx !== undefined) return measureTdvf(image, tdx, input);
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
  { boot, log, runtime }: MeasureInput,
): Promise<Measured> {
  const predicted = await predictTdx(image, { order });
  const booting = boot === undefined ? undefined : await predictDirectRtmrs(boot);
  const booted = compared(booting, log);
  const rtmrs = await withRuntime(booting, runtime);
  const policy = { measurements: 'from-release', ...(rtmrs === undefined ? {} : pinnedBy(rtmrs)) };
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

async function measureUkiInTd(image: Uint8Array, { log, runtime }: MeasureInput): Promise<Measured> {
  const booting = await predictUkiRtmrs(image);
  const booted = compared(booting, log);
  const rtmrs = { ...booting, ...(await withRuntime(undefined, runtime)) };
  const policy = { measurements: 'from-release', ...pinnedBy(rtmrs) };
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

/** Predicted registers, as many of them as the options lead to. */
type Registers = Partial<PredictedRtmrs> & { readonly 3?: readonly PredictedRtmr[] };

async function withRuntime(
  booting: PredictedRtmrs | undefined,
  runtime: MeasureInput['runtime'],
): Promise<Registers | undefined> {
  return runtime === undefined ? booting : { ...booting, 3: [await predictRuntimeRtmr(runtime)] };
}

/** The events explain a register that differs; for them the evidence has to bring the log. */
function pinnedBy(rtmrs: Registers): Readonly<Record<string, unknown>> {
  return { ...rtmrPolicyOf(rtmrs), eventLog: 'required' };
}

function linesOfRtmrs(rtmrs: Registers): string[] {
  const linesOfOne = (index: 1 | 2 | 3): string[] =>
    (rtmrs[index] ?? []).flatMap(({ value, events, names, holdsFor }) => {
      const explained = events.map((digest, place) => `         ${digest}  ${names[place] ?? ''}`);
      return [`  RTMR${index}  ${value}${holdsFor === undefined ? '' : `  (${holdsFor})`}`].concat(explained);
    });
  return [
    'Run-time registers, once it has booted; each value with its events (SHA-384):',
    `  RTMR0  not predicted: ${unpredictedRtmrs[0]}`,
    ...(rtmrs[1] === undefined ? ['  RTMR1, RTMR2  give --kernel, --initrd and --append'] : []),
    ...([1, 2] as const).flatMap(linesOfOne),
    ...(rtmrs[3] === undefined ? [`  RTMR3  not predicted: ${unpredictedRtmrs[3]}`] : linesOfOne(3)),
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
