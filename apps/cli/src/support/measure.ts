import {
  imageKindOf,
  predictNitro,
  predictSnp,
  predictTdx,
  predictUki,
  type PredictedRegisters,
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
  /** A firmware builds a trust domain of Intel TDX, in this order. */
  readonly tdx?: TdxOrder;
}

/**
 * Measures an image of any kind that is known.
 * Throws `CLI_USAGE` when the options do not go with the kind, `IMAGE_*`.
 */
export async function measureImage(image: Uint8Array, { bank, machine, tdx }: MeasureInput): Promise<Measured> {
  const kind = imageKindOf(image);
  if (bank !== undefined && kind !== 'uki') throw usage('--bank goes with unified kernel images only.');
  if (machine !== undefined && kind !== 'ovmf') throw usage('Processors and a kernel go with an OVMF firmware only.');
  if (tdx !== undefined && (kind !== 'ovmf' || machine !== undefined))
    throw usage('--tdx goes with an OVMF firmware alone.');
  switch (kind) {
    case 'uki':
      return measureUki(image, bank ?? 'SHA-256');
    case 'eif':
      return measureEif(image);
    case 'ovmf':
      break;
  }
  if (tdx !== undefined) return measureTdvf(image, tdx);
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

async function measureTdvf(image: Uint8Array, order: TdxOrder): Promise<Measured> {
  const predicted = await predictTdx(image, { order });
  const policy = { measurements: 'from-release' };
  return {
    facts: { ...predicted, policy },
    lines: [
      'MRTD of a trust domain of Intel TDX that QEMU builds:',
      `  ${predicted.mrtd}`,
      '  It covers the firmware. What the firmware starts is in the RTMRs: take those from a boot that you trust.',
      ...next(`tdx:${predicted.mrtd}`, 'tdx section of a policy', policy),
    ],
  };
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
