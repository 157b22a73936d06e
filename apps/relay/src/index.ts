import './errors.ts';
export { startRelay, type Relay, type RelayAccess, type RelayOptions } from './relay.ts';
export { defaultRelayLimits, type RelayLimits } from './limits.ts';
