import { fromHex } from '@fastness/codec/bytes';
import { der } from '@fastness/codec/der';
import type { ForgedExtension } from '../x509/extensions.ts';

const ARC = '1.2.840.113741.1.13.1';

/** What a forged PCK certificate says about its platform. Hex is lower-case. */
export interface ForgedPlatform {
  /** 16 bytes. */
  readonly ppid: string;
  /** 6 bytes. */
  readonly fmspc: string;
  /** 2 bytes. */
  readonly pceId: string;
  readonly pceSvn: number;
  /** 16 component SVNs. */
  readonly components: readonly number[];
}

/** A platform at the levels of the forged TCB info. */
export const forgedPlatform: ForgedPlatform = Object.freeze({
  ppid: '0f'.repeat(16),
  fmspc: '00f06d0a0000',
  pceId: '0000',
  pceSvn: 13,
  components: Object.freeze([4, 4, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]),
});

/** The SGX extensions of a PCK certificate (Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5). */
export function pckExtension(platform: ForgedPlatform): ForgedExtension {
  const member = (arc: string, value: Uint8Array) => der.sequence(der.oid(`${ARC}.${arc}`), value);
  const { components } = platform;
  const tcb = der.sequence(
    ...components.map((svn, index) => member(`2.${index + 1}`, der.integer(svn))),
    member('2.17', der.integer(platform.pceSvn)),
    member('2.18', der.octetString(Uint8Array.from(components))),
  );
  return {
    oid: ARC,
    value: der.sequence(
      member('1', der.octetString(fromHex(platform.ppid))),
      member('2', tcb),
      member('3', der.octetString(fromHex(platform.pceId))),
      member('4', der.octetString(fromHex(platform.fmspc))),
      member('5', der.enumerated(1)),
    ),
  };
}
