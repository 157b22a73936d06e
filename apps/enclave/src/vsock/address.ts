import { concatBytes, u16le, u32le } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';

/** Where a stream socket listens or connects to. */
export interface SocketAddress {
  /** AF_ of the address. */
  readonly family: number;
  /** As bind(2) and connect(2) take it. */
  readonly bytes: Uint8Array;
  /** For people. */
  readonly name: string;
}

const AF_VSOCK = 40;
const MAX = 0xffff_ffff;

/** Every context identifier of this machine: for listening. */
export const ANY_CID = MAX;
/** The machine that started an enclave of AWS Nitro, seen from inside. */
export const PARENT_CID = 3;

/**
 * struct sockaddr_vm (vsock(7), include/uapi/linux/vm_sockets.h): family, 2 reserved bytes, port, context identifier, flags
 * and padding. Throws VSOCK_ADDRESS.
 */
export function vsockAddress(cid: number, port: number): SocketAddress {
  for (const value of [cid, port]) {
    if (!Number.isInteger(value) || value < 0 || value > MAX) throw new FastnessError('VSOCK_ADDRESS', String(value));
  }
  return {
    family: AF_VSOCK,
    bytes: concatBytes(u16le(AF_VSOCK), u16le(0), u32le(port), u32le(cid), new Uint8Array(4)),
    name: `vsock ${cid === ANY_CID ? '*' : cid}:${port}`,
  };
}
