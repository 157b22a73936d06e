import { provideErrors } from '@fastness/codec/errors';
import { dcapCollateralErrors } from '@fastness/codec/errors/attest-dcap-collateral';
import { dcapQuoteErrors } from '@fastness/codec/errors/attest-dcap-quote';
import '../../errors.ts';

provideErrors(dcapQuoteErrors, dcapCollateralErrors);
