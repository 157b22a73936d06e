import { provideErrors } from '@fastness/codec/errors';
import { tpmErrors } from '@fastness/codec/errors/attest-tpm';
import '../../errors.ts';
import '../../event-log/errors.ts';

provideErrors(tpmErrors);
