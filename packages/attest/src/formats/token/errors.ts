import { provideErrors } from '@fastness/codec/errors';
import { tokenErrors } from '@fastness/codec/errors/attest-token';
import '../../errors.ts';
import '../../jws/errors.ts';

provideErrors(tokenErrors);
