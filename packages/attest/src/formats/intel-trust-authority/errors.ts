import { provideErrors } from '@fastness/codec/errors';
import { intelTrustAuthorityErrors } from '@fastness/codec/errors/attest-intel-trust-authority';
import '../../errors.ts';
import '../token/errors.ts';

provideErrors(intelTrustAuthorityErrors);
