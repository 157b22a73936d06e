import type { ErrorFacts } from './class.ts';

/** Codes of computing reference values from images. */
export const referenceValueErrors = Object.freeze({
  IMAGE_PE_MALFORMED: {
    class: 'invalid',
    message: 'The program does not follow the PE format as firmware loads it.',
    next: 'Give a 64-bit EFI program; if it is one, it was cut short or changed.',
  },
  IMAGE_NOT_UKI: {
    class: 'not-mine',
    message: 'The program is not a unified kernel image.',
    next: 'Give an image with kernel, archive and command line in it, as `npm run image` or ukify make them.',
  },
  IMAGE_STUB_UNKNOWN: {
    class: 'not-mine',
    message: 'The stub of the unified kernel image is not one whose measurements are known.',
    next: 'Build the image with systemd-stub 252 (Debian 12), or take its registers from a boot that you trust.',
  },
  IMAGE_KIND_UNKNOWN: {
    class: 'not-mine',
    message: 'The image is of no kind whose measurements can be computed.',
    next: 'Give a unified kernel image, an enclave image of AWS Nitro (EIF), or an OVMF firmware with SEV metadata.',
  },
  IMAGE_EIF_MALFORMED: {
    class: 'invalid',
    message: 'The enclave image does not follow the Enclave Image Format.',
    next: 'Build the image again with nitro-cli or another builder of versions 2 to 4; it was cut short or changed.',
  },
  IMAGE_EIF_CHECKSUM: {
    class: 'invalid',
    message: 'The enclave image is not what its checksum is of.',
    next: 'Copy or build the image again: it was damaged.',
  },
  IMAGE_EIF_SECTIONS: {
    class: 'invalid',
    message: 'The enclave image does not have the sections that an enclave is started from.',
    next: 'Build it with one kernel, one command line, ramdisks after the kernel and, from version 4 on, metadata.',
  },
  IMAGE_EIF_SIGNATURE: {
    class: 'invalid',
    message: 'The signature in the enclave image does not hold; an enclave would not start from it.',
    next: 'Sign the image again after its last change, with the key of the certificate that is in it.',
  },
  IMAGE_OVMF_MALFORMED: {
    class: 'invalid',
    message: 'The firmware, or its table of GUIDs, does not follow the layout of OVMF.',
    next: 'Give the whole firmware file as the machine loads it: code and variables in one where its metadata are of both.',
  },
  IMAGE_OVMF_METADATA: {
    class: 'not-mine',
    message: 'The firmware does not say how a machine with SEV-SNP is started with it.',
    next: 'Build OVMF with SEV metadata (OvmfPkgX64 or AmdSevX64 of edk2 from 2022 on).',
  },
  IMAGE_OVMF_NO_KERNEL_HASHES: {
    class: 'not-mine',
    message: 'The firmware has no page for the hashes of kernel, archive and command line.',
    next: 'Use the AmdSevX64 build of OVMF, or measure without a kernel: then nothing of it is in the launch digest.',
  },
  IMAGE_TDVF_METADATA: {
    class: 'not-mine',
    message: 'The firmware does not say how a trust domain is built from it.',
    next: 'Build OVMF with TDVF metadata (OvmfPkgX64 or IntelTdxX64 of edk2 from 2021 on).',
  },
  IMAGE_KERNEL_NOT_MEASURING: {
    class: 'not-mine',
    message: 'The kernel does not measure its command line and archive in a trust domain.',
    next: 'Take Linux 6.9 or later (on Debian 12, linux-image-6.12-cloud-amd64); before, register 2 says nothing of either.',
  },
  IMAGE_EVENT_DIFFERS: {
    class: 'denied',
    message: 'The log of the boot has another event than the image leads to.',
    next: 'The detail names the event: boot the file that was measured, or measure the one that is booted.',
  },
  IMAGE_MACHINE_INVALID: {
    class: 'usage',
    message: 'The machine that is to be measured cannot be one.',
    next: 'Give 1 to 512 processors, a known type or a 32-bit signature, and features as a 64-bit number.',
  },
} as const satisfies Record<string, ErrorFacts>);
