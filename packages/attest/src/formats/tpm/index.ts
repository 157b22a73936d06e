/** TPM 2.0 quotes and event logs: parse, authenticate with a key that the caller trusts, appraise. */
export { appraise, type AppraiseQuoteOptions, type PcrValues, type TpmQuoteVerdict } from './appraise.ts';
export type { PcrSelection, TpmQuote } from './attest.ts';
export { authenticate } from './authenticate.ts';
export { parseEventLog, replayEventLog, type EventLog, type LogBank, type LogEvent } from './event-log.ts';
export { parse } from './parse.ts';
export { attestationKeyOf } from './public-area.ts';
export type { AuthenticQuote, ParsedQuote } from './stages.ts';
