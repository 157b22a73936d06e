const IPV4 = 4;
const UDP = 17;
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const IP_HEADER = 20;
const UDP_HEADER = 8;
/** The flag that more fragments follow, and the offset (RFC 791, section 3.1). */
const FRAGMENT = 0x3fff;

/**
 * What a DHCP server sent to a client, out of a packet of IPv4 (RFC 791, RFC 768); undefined for any other packet. Checksums are not
 * looked at: virtual cards leave them unfinished, and whoever sends the packet can write any.
 */
export function dhcpPayload(packet: Uint8Array): Uint8Array | undefined {
  if (packet.length < IP_HEADER + UDP_HEADER) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const first = view.getUint8(0);
  const header = (first & 0x0f) * 4;
  const total = view.getUint16(2);
  if (first >> 4 !== IPV4 || header < IP_HEADER || total > packet.length || header + UDP_HEADER > total)
    return undefined;
  if ((view.getUint16(6) & FRAGMENT) !== 0 || view.getUint8(9) !== UDP) return undefined;
  if (view.getUint16(header) !== SERVER_PORT || view.getUint16(header + 2) !== CLIENT_PORT) return undefined;
  const length = view.getUint16(header + 4);
  if (length < UDP_HEADER || header + length > total) return undefined;
  return packet.subarray(header + UDP_HEADER, header + length);
}
