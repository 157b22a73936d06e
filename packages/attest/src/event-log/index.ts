/** Boot event logs: read them, and replay them to registers that evidence vouches for. */
export { EV_NO_ACTION, parseEventLog, type LogEvent, type LogHash } from './parse.ts';
export { replayDigests, verifyEventLog, type RtmrIndex } from './replay.ts';
