/** Boot event logs: read them, and replay them to registers that evidence vouches for. */
import './errors.ts';
export { firstDifference } from './compare.ts';
export { EV_NO_ACTION, eventTypeName, logDigestBytes, type LogHash } from './layout.ts';
export { parseEventLog, trimEventLog, type EventLog, type LogEvent } from './parse.ts';
export { verifyPcrEventLog } from './pcr.ts';
export { extendedDigests, replayDigests, replayToPcrs } from './replay.ts';
export { encodeRuntimeEvent, type RuntimeEvent } from './runtime-event.ts';
export { eventWords } from './words.ts';
export { replayToRtmrs, rtmrEvents, verifyEventLog, type ReplayedRtmrLog, type RtmrIndex } from './rtmr.ts';
