import { provideErrors } from '@fastness/codec/errors';
import { nvidiaAppraisalErrors } from '@fastness/codec/errors/attest-nvidia-appraisal';
import { nvidiaEndorsementErrors } from '@fastness/codec/errors/attest-nvidia-endorsements';
import { nvidiaReportErrors } from '@fastness/codec/errors/attest-nvidia-report';
import '../../errors.ts';

provideErrors(nvidiaReportErrors, nvidiaEndorsementErrors, nvidiaAppraisalErrors);
