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
} as const satisfies Record<string, ErrorFacts>);
