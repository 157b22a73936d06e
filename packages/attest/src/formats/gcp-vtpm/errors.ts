import { provideErrors } from '@fastness/codec/errors';
import { gcpVtpmErrors } from '@fastness/codec/errors/attest-gcp-vtpm';
import '../../errors.ts';
import '../tpm/errors.ts';

provideErrors(gcpVtpmErrors);
