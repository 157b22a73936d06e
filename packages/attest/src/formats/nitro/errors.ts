import { provideErrors } from '@fastness/codec/errors';
import { nitroErrors } from '@fastness/codec/errors/attest-nitro';
import '../../errors.ts';

provideErrors(nitroErrors);
