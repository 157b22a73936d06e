import { provideErrors } from '@fastness/codec/errors';
import { gcpConfidentialSpaceErrors } from '@fastness/codec/errors/attest-gcp-confidential-space';
import '../../errors.ts';
import '../token/errors.ts';

provideErrors(gcpConfidentialSpaceErrors);
