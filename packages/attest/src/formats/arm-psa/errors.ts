import { provideErrors } from '@fastness/codec/errors';
import { armPsaErrors } from '@fastness/codec/errors/attest-arm-psa';
import '../../corim/errors.ts';

provideErrors(armPsaErrors);
