import { concatBytes, fromHex, toHex, u16le, u64be, utf8Encode } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { cpuSignatures } from './cpu-types.ts';
import { PAGE, parseOvmf, type OvmfImage, type OvmfSection } from './ovmf.ts';
import { sha384 } from './sha384.ts';
import { RESET_VECTOR_ADDRESS, vmsaPage, type SnpHypervisor } from './vmsa.ts';

/** What a machine with SEV-SNP is started with, beside its firmware. */
export interface SnpMachine {
  /** Processors, 1 to 512. */
  readonly processors: number;
  /** Name of a processor of QEMU, or EAX of CPUID leaf 1. Only QEMU shows it to the firmware; absent for the others. */
  readonly processor?: string | number;
  /** SEV_FEATURES, 64 bits. Default: 1, SEV-SNP alone. Linux 6.9 and others set 0x21. */
  readonly features?: bigint;
  /** Default: 'qemu'. */
  readonly hypervisor?: SnpHypervisor;
  /** What is booted directly, with `kernel-hashes=on`. Absent: nothing, and the launch digest does not cover a kernel. */
  readonly kernel?: {
    readonly image: Uint8Array;
    readonly archive?: Uint8Array;
    /** Default: empty. */
    readonly commandLine?: string;
  };
}

/** What a machine with SEV-SNP will be measured as. */
export interface PredictedSnp {
  /** SHA-384, hex: `measurements` of a policy. */
  readonly launchDigest: string;
  /** Whether the digest covers a kernel, its archive and its command line. */
  readonly coversKernel: boolean;
}

/** Kinds of pages (SEV-SNP firmware ABI, section 8.17, PAGE_TYPE). */
const pageTypes = Object.freeze({ normal: 1, vmsa: 2, zero: 3, unmeasured: 4, secrets: 5, cpuid: 6 } as const);
/** Where registers of processors count as being. */
const VMSA_ADDRESS = 0xffff_ffff_f000;
const MAX_PROCESSORS = 512;
const zeros = new Uint8Array(48);

/**
 * The launch digest of a machine with SEV-SNP (SEV-SNP firmware ABI, section 8.17.2): a chain of SHA-384 over every page that is
 * put in place before it starts, in order: the firmware, what its metadata declare, and the registers of each processor.
 * Throws IMAGE_OVMF_MALFORMED, IMAGE_OVMF_METADATA, IMAGE_OVMF_NO_KERNEL_HASHES, IMAGE_MACHINE_INVALID.
 */
export async function predictSnp(firmware: Uint8Array, machine: SnpMachine): Promise<PredictedSnp> {
  const ovmf = parseOvmf(firmware);
  return predictSnpAfter(await firmwareDigest(ovmf), ovmf, machine);
}

/** The launch digest once the firmware is in place, before anything else is. */
export async function firmwareDigest({ bytes, address }: OvmfImage): Promise<Uint8Array> {
  let digest: Uint8Array = zeros;
  for (let at = 0; at < bytes.length; at += PAGE) {
    const page = await sha384(bytes.subarray(at, at + PAGE));
    digest = await extended(digest, { type: pageTypes.normal, address: address + at, page });
  }
  return digest;
}

/** As {@link predictSnp}, for a firmware whose own digest is known. */
export async function predictSnpAfter(
  firmware: Uint8Array,
  ovmf: OvmfImage,
  machine: SnpMachine,
): Promise<PredictedSnp> {
  const { processors, features = 1n, hypervisor = 'qemu', kernel } = machine;
  if (!Number.isInteger(processors) || processors < 1 || processors > MAX_PROCESSORS) {
    throw new FastnessError('IMAGE_MACHINE_INVALID', `${processors} processors.`);
  }
  if (features < 0n || features > 0xffff_ffff_ffff_ffffn)
    throw new FastnessError('IMAGE_MACHINE_INVALID', 'Its features.');
  const signature = hypervisor === 'qemu' ? signatureOf(machine.processor) : 0;
  const hashes = kernel === undefined ? undefined : await hashesPage(ovmf, kernel);
  let digest = firmware;
  // EC2 puts its CPUID page in place after all others.
  const late = hypervisor === 'ec2' ? ovmf.sections.filter(({ kind }) => kind === 'cpuid') : [];
  for (const section of [...ovmf.sections.filter((each) => !late.includes(each)), ...late]) {
    const { type, page } = pageOf(section, hypervisor, hashes);
    const content = page === undefined ? zeros : await sha384(page);
    for (let at = 0; at < section.length; at += PAGE) {
      digest = await extended(digest, { type, address: section.address + at, page: content });
    }
  }
  const registersFrom = async (start: number): Promise<Uint8Array> =>
    sha384(vmsaPage({ hypervisor, start, signature, features }));
  const first = await registersFrom(RESET_VECTOR_ADDRESS);
  const others = await registersFrom(ovmf.resetAddress);
  for (let index = 0; index < processors; index += 1) {
    const page = index === 0 ? first : others;
    digest = await extended(digest, { type: pageTypes.vmsa, address: VMSA_ADDRESS, page });
  }
  return { launchDigest: toHex(digest), coversKernel: kernel !== undefined };
}

function signatureOf(processor: SnpMachine['processor']): number {
  const signature = typeof processor === 'string' ? cpuSignatures[processor] : processor;
  if (signature === undefined || !Number.isInteger(signature) || signature < 0 || signature > 0xffff_ffff) {
    throw new FastnessError('IMAGE_MACHINE_INVALID', `Processor ${processor ?? 'not given'}.`);
  }
  return signature;
}

/** How the pages of a section are measured; those without content count as zeros. */
function pageOf(
  { kind }: OvmfSection,
  hypervisor: SnpHypervisor,
  hashes: Uint8Array | undefined,
): { readonly type: number; readonly page?: Uint8Array } {
  switch (kind) {
    case 'memory':
      return { type: hypervisor === 'gce' ? pageTypes.unmeasured : pageTypes.zero };
    case 'calling-area':
      return { type: pageTypes.zero };
    case 'secrets':
      return { type: pageTypes.secrets };
    case 'cpuid':
      return { type: pageTypes.cpuid };
    case 'kernel-hashes':
      break;
  }
  return hashes === undefined ? { type: pageTypes.zero } : { type: pageTypes.normal, page: hashes };
}

/** GUIDs as they lie in memory, hex, in the order of the table. */
const hashGuids = Object.freeze({
  table: '06d63894224fc94cb479a793d411fd21',
  commandLine: 'd82dd09720bd944caa78e7714d36ab2a',
  archive: '31f7ba442f3ad74b9af141e29169781d',
  kernel: '3794e74dd2ab7f42b835d5b172d2045b',
});

/** The page with the hashes of what is booted, as QEMU writes it (target/i386/sev.c). */
async function hashesPage(
  { hashesAddress, sections }: OvmfImage,
  { image, archive = new Uint8Array(0), commandLine = '' }: NonNullable<SnpMachine['kernel']>,
): Promise<Uint8Array> {
  const section = sections.find(({ kind }) => kind === 'kernel-hashes');
  if (section === undefined || hashesAddress === undefined) throw new FastnessError('IMAGE_OVMF_NO_KERNEL_HASHES');
  const entry = async (guid: string, content: Uint8Array): Promise<Uint8Array> => {
    const hash = await globalThis.crypto.subtle.digest('SHA-256', concatBytes(content));
    return concatBytes(fromHex(guid), u16le(16 + 2 + 32), new Uint8Array(hash));
  };
  const entries = concatBytes(
    await entry(hashGuids.commandLine, utf8Encode(`${commandLine}\0`)),
    await entry(hashGuids.archive, archive),
    await entry(hashGuids.kernel, image),
  );
  const table = concatBytes(fromHex(hashGuids.table), u16le(16 + 2 + entries.length), entries);
  const at = hashesAddress - section.address;
  if (at < 0 || at + table.length > PAGE) {
    throw new FastnessError('IMAGE_OVMF_MALFORMED', 'The hashes of the kernel do not fit into their page.');
  }
  const page = new Uint8Array(PAGE);
  page.set(table, at);
  return page;
}

/** PAGE_INFO (SEV-SNP firmware ABI, table "Layout of the PAGE_INFO structure"): no permissions of lower privilege levels. */
async function extended(
  digest: Uint8Array,
  { type, address, page }: { readonly type: number; readonly address: number; readonly page: Uint8Array },
): Promise<Uint8Array> {
  return sha384(digest, page, u16le(0x70), Uint8Array.of(type, 0, 0, 0, 0, 0), u64be(address).toReversed());
}
