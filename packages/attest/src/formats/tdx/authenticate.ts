import { replayToRtmrs } from '../../event-log/index.ts';
import { authenticateQuote, type AuthenticateOptions } from '../dcap/authenticate.ts';
import type { AuthenticQuote, ParsedQuote } from '../dcap/stages.ts';
import type { TdBody } from './body.ts';
import { tdxFlavour } from './flavour.ts';
import { assessModule } from './module.ts';

/** Establishes that a pinned Intel root vouches for the quote. Throws DCAP_..., TDX_MODULE_..., EVENT_LOG_BANK, X509_..., ATTEST_.... */
export async function authenticate(
  parsed: ParsedQuote<TdBody>,
  options: AuthenticateOptions,
): Promise<AuthenticQuote<TdBody>> {
  return authenticateQuote(parsed, tdxFlavour, options, {
    assessModule,
    replay: async (log) => Object.freeze({ log, rtmrs: await replayToRtmrs(log) }),
  });
}
