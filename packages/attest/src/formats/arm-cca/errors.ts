import { provideErrors } from '@fastness/codec/errors';
import { armCcaErrors } from '@fastness/codec/errors/attest-arm-cca';
import '../../corim/errors.ts';

provideErrors(armCcaErrors);
