import { provideErrors } from '@fastness/codec/errors';
import { attestBaseErrors } from '@fastness/codec/errors/attest-base';

provideErrors(attestBaseErrors);
