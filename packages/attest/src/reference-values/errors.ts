import { provideErrors } from '@fastness/codec/errors';
import { referenceValueErrors } from '@fastness/codec/errors/attest-reference-values';
import '../errors.ts';

provideErrors(referenceValueErrors);
