import { errorRegistry, provideErrors } from '@fastness/codec/errors';

// Every code, also where this program is put into one file: its class decides the status of an answer.
provideErrors(errorRegistry);
