import { provideErrors } from '@fastness/codec/errors';
import { eventLogErrors } from '@fastness/codec/errors/attest-event-log';
import '../errors.ts';

provideErrors(eventLogErrors);
