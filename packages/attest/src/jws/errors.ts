import { provideErrors } from '@fastness/codec/errors';
import { jwsErrors } from '@fastness/codec/errors/attest-jws';

provideErrors(jwsErrors);
