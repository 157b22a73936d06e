import { provideErrors } from '@fastness/codec/errors';
import { sgxErrors } from '@fastness/codec/errors/attest-sgx';
import '../../errors.ts';
import '../dcap/errors.ts';

provideErrors(sgxErrors);
