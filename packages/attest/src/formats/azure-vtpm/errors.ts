import { provideErrors } from '@fastness/codec/errors';
import { azureVtpmErrors } from '@fastness/codec/errors/attest-azure-vtpm';
import '../../errors.ts';
import '../tpm/errors.ts';
import '../snp/errors.ts';
import '../tdx/errors.ts';

provideErrors(azureVtpmErrors);
