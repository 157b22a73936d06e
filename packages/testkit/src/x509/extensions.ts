import { der } from '@fastness/codec/der';
import { extensionOids, keyUsageNames, type BasicConstraints, type KeyUsage } from '@fastness/codec/x509';

/** One extension to put into a forged certificate or list. */
export interface ForgedExtension {
  readonly oid: string;
  readonly critical?: boolean;
  /** Content of extnValue. */
  readonly value: Uint8Array;
}

/** The DER of one Extension. */
export function encodeExtension({ oid, critical, value }: ForgedExtension): Uint8Array {
  return der.sequence(der.oid(oid), ...(critical === true ? [der.boolean(true)] : []), der.octetString(value));
}

/** Basic constraints, critical. */
export function basicConstraints({ ca, pathLength }: BasicConstraints): ForgedExtension {
  const fields = [...(ca ? [der.boolean(true)] : []), ...(pathLength === undefined ? [] : [der.integer(pathLength)])];
  return { oid: extensionOids.basicConstraints, critical: true, value: der.sequence(...fields) };
}

/** Key usage, critical. */
export function keyUsage(...usages: readonly KeyUsage[]): ForgedExtension {
  const value = der.namedBits(keyUsageNames.map((name) => usages.includes(name)));
  return { oid: extensionOids.keyUsage, critical: true, value };
}
