import { provideErrors } from '@fastness/codec/errors';
import { androidErrors } from '@fastness/codec/errors/attest-android';
import '../../errors.ts';
import '../../jws/errors.ts';

provideErrors(androidErrors);
