/** Virtual sockets between an enclave and the machine that started it, and what is carried over them (Node, Linux). */
export type { Accepting, End, Limits, TcpAddress } from './accept.ts';
export { ANY_CID, PARENT_CID, vsockAddress, type SocketAddress } from './address.ts';
export { carry, sendFile, type Failed } from './carry.ts';
export { HEARTBEAT_PORT, sendHeartbeat } from './heartbeat.ts';
export { connectTo, listenOn } from './sockets.ts';
