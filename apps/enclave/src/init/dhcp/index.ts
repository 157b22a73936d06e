export { obtainLease, renewLease, type DhcpOptions, type DhcpPort } from './client.ts';
export { keepLease, type KeepOptions } from './keep.ts';
export { decodeAnswer, encodeQuestion, type DhcpAnswer, type DhcpLease } from './message.ts';
export { dhcpPayload } from './packet.ts';
export { openDhcpPort } from './socket.ts';
