import { utf8Encode } from '@fastness/codec';

/**
 * Which bytes of evidence of a TPM may change without a change of the verdict, because nothing vouches for them and nothing
 * depends on them; everything else must not.
 *
 * - The event log: the data of events, and digests of banks that are not replayed.
 * - Request type, status and reserved words of Azure's HCL header.
 * - With TDX, the parts of the TDREPORT that its quote does not repeat: its MAC, and the TCB, of which the quote has its own.
 */
export function unsignedPart(value: Uint8Array, eventLog?: Uint8Array): (position: number) => boolean {
  const log = eventLog === undefined ? -1 : indexOf(value, eventLog);
  const hcl = indexOf(value, utf8Encode('HCLA'));
  const tdx = hcl >= 0 && value[hcl + 32] === 0x81;
  return (position) => {
    if (log >= 0 && within(position, log, eventLog?.length ?? 0)) return true;
    if (hcl < 0) return false;
    if (within(position, hcl + 12, 20)) return true;
    const inside = position - hcl - 32;
    return tdx && within(inside, 1, 1023) && !within(inside, 128, 64) && !within(inside, 512, 400);
  };
}

const within = (offset: number, start: number, length: number): boolean => offset >= start && offset < start + length;

function indexOf(bytes: Uint8Array, part: Uint8Array): number {
  return bytes.findIndex((_, index) => part.every((byte, offset) => bytes[index + offset] === byte));
}
