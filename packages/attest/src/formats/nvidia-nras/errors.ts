import { provideErrors } from '@fastness/codec/errors';
import { nvidiaNrasErrors } from '@fastness/codec/errors/attest-nvidia-nras';
import '../../errors.ts';
import '../token/errors.ts';

provideErrors(nvidiaNrasErrors);
