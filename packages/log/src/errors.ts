import { errorRegistry, provideErrors } from '@fastness/codec/errors';

// Every code, also in what is bundled for a browser.
provideErrors(errorRegistry);
