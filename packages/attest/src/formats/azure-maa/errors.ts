import { provideErrors } from '@fastness/codec/errors';
import { azureMaaErrors } from '@fastness/codec/errors/attest-azure-maa';
import '../../errors.ts';
import '../token/errors.ts';

provideErrors(azureMaaErrors);
