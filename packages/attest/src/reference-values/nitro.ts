import { toHex } from '@fastness/codec';
import { parseEif, type EifImage, type EifSectionKind } from './eif.ts';
import { signerOf } from './eif-signature.ts';
import { sha384 } from './sha384.ts';

/** What an enclave of AWS Nitro will be measured as. */
export interface PredictedNitro {
  readonly version: EifImage['version'];
  readonly architecture: EifImage['architecture'];
  /** SHA-384, hex by index: 0, 1 and 2, and 8 if the image is signed. 3 and 4 depend on where the enclave runs. */
  readonly pcrs: Readonly<Record<string, string>>;
  /** What each register is of. */
  readonly names: Readonly<Record<string, string>>;
  /** The sections in their order: where two images differ is where these do. */
  readonly sections: readonly MeasuredSection[];
}

/** A section of an enclave image, and where it is measured. */
export interface MeasuredSection {
  readonly kind: EifSectionKind;
  readonly bytes: number;
  /** SHA-384 of its content, hex. */
  readonly digest: string;
  /** Registers that it is part of: none for metadata, which nothing measures, and for a signature. */
  readonly registers: readonly number[];
}

const names: Readonly<Record<string, string>> = Object.freeze({
  0: 'kernel, command line and all ramdisks',
  1: 'kernel, command line and the first ramdisk',
  2: 'the other ramdisks',
  8: 'certificate that signed the image',
});

/**
 * The registers that the hypervisor fills from an enclave image (Enclave Image Format, "EIF Measurements"): each is
 * SHA-384(48 zero bytes || SHA-384(the contents of its sections, in the order of the image)). A signature in the image has to
 * hold, for register 0 and with the key of its certificate, because an image with another one is not started; whether that
 * certificate is valid on the day is not looked at. An enclave in debug mode has zeros in all of them.
 * Throws IMAGE_EIF_MALFORMED, IMAGE_EIF_CHECKSUM, IMAGE_EIF_SECTIONS, IMAGE_EIF_SIGNATURE.
 */
export async function predictNitro(image: Uint8Array): Promise<PredictedNitro> {
  const { version, architecture, sections } = parseEif(image);
  const booted = sections.filter(({ kind }) => bootedKinds.has(kind));
  const [first, ...others] = booted.filter(({ kind }) => kind === 'ramdisk');
  const boot = booted.filter((section) => section.kind !== 'ramdisk' || section === first);
  const image0 = await registerOf(booted.map(({ content }) => content));
  const pcrs: Record<string, string> = {
    0: toHex(image0),
    1: toHex(await registerOf(boot.map(({ content }) => content))),
    2: toHex(await registerOf(others.map(({ content }) => content))),
  };
  const signature = sections.find(({ kind }) => kind === 'signature');
  if (signature !== undefined) pcrs['8'] = toHex(await registerOf([await signerOf(signature.content, image0)]));
  return {
    version,
    architecture,
    pcrs,
    names: Object.fromEntries(Object.keys(pcrs).map((index) => [index, names[index] ?? ''])),
    sections: await Promise.all(
      sections.map(async (section) => ({
        kind: section.kind,
        bytes: section.content.length,
        digest: toHex(await sha384(section.content)),
        registers: bootedKinds.has(section.kind) ? [0, boot.includes(section) ? 1 : 2] : [],
      })),
    ),
  };
}

const bootedKinds: ReadonlySet<EifSectionKind> = new Set(['kernel', 'command-line', 'ramdisk']);

async function registerOf(contents: readonly Uint8Array[]): Promise<Uint8Array> {
  return sha384(new Uint8Array(48), await sha384(...contents));
}
