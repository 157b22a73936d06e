import { provideErrors } from '@fastness/codec/errors';
import { snpAppraisalErrors } from '@fastness/codec/errors/attest-snp-appraisal';
import { snpAuthenticityErrors } from '@fastness/codec/errors/attest-snp-authenticity';
import '../../errors.ts';

provideErrors(snpAuthenticityErrors, snpAppraisalErrors);
