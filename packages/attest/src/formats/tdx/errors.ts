import { provideErrors } from '@fastness/codec/errors';
import { tdxErrors } from '@fastness/codec/errors/attest-tdx';
import '../../errors.ts';
import '../../event-log/errors.ts';
import '../dcap/errors.ts';

provideErrors(tdxErrors);
