import { provideErrors } from '@fastness/codec/errors';
import { logErrors } from '@fastness/codec/errors/log';

provideErrors(logErrors);
