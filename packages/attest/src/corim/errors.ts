import { provideErrors } from '@fastness/codec/errors';
import { corimErrors } from '@fastness/codec/errors/attest-corim';
import '../errors.ts';

provideErrors(corimErrors);
