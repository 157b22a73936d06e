import type { ErrorFacts } from './class.ts';
import { coseErrors } from './cose.ts';
import { x509Errors } from './x509.ts';

/** Codes of the strict readers. */
export const codecErrors = Object.freeze({
  CODEC_TRUNCATED: {
    class: 'invalid',
    message: 'The input ends before the structure does.',
    next: 'Fetch or copy the input again; it was cut short.',
  },
  CODEC_TRAILING: {
    class: 'invalid',
    message: 'Bytes follow the end of the structure.',
    next: 'Pass exactly one structure; extra bytes are refused.',
  },
  CODEC_MALFORMED: {
    class: 'invalid',
    message: 'The input does not follow its format.',
    next: 'Check where the input came from; it is damaged or forged.',
  },
  CODEC_NOT_CANONICAL: {
    class: 'invalid',
    message: 'The input is encoded in a form that its format forbids.',
    next: 'Ask the producer for the one encoding that the format allows.',
  },
  CODEC_LIMIT: {
    class: 'invalid',
    message: 'The input is larger or nested deeper than this reader accepts.',
    next: 'Check where the input came from; genuine inputs stay far below this limit.',
  },
  CODEC_UNSUPPORTED: {
    class: 'not-mine',
    message: 'The input uses a feature outside the subset that this reader states.',
    next: 'See the docstring of the reader for the subset it reads.',
  },
  CODEC_VALUE: {
    class: 'usage',
    message: 'The value cannot be written in this format.',
    next: 'Pass a value inside the range and the types that the writer states.',
  },
  ...x509Errors,
  ...coseErrors,
} as const satisfies Record<string, ErrorFacts>);
