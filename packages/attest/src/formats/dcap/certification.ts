import { ByteReader, toHex } from '@fastness/codec';
import { FastnessError } from '@fastness/codec/errors';
import { anyOf, type Checklist } from '../../checks.ts';
import type { PckFacts } from './pck.ts';

/** Types of certification data that are read (Intel SGX ECDSA QuoteGenReference, table 9). */
export const certificationTypes = Object.freeze({
  ppid: 1,
  ppidRsa2048: 2,
  ppidRsa3072: 3,
  pckChain: 5,
});

/** Bytes of the PPID, in the clear or encrypted for Intel. */
const ppidBytes: ReadonlyMap<number, number> = new Map([
  [certificationTypes.ppid, 16],
  [certificationTypes.ppidRsa2048, 256],
  [certificationTypes.ppidRsa3072, 384],
]);

/**
 * What a quote carries instead of a PCK certificate: what names the certificate. Nothing signs it, so it is compared with a
 * certificate and proves nothing by itself.
 */
export interface PckReference {
  /** 16 bytes, hex. Absent: it is encrypted, and Intel alone can read it. */
  readonly ppid?: string;
  /** RSA-OAEP under Intel's key, 256 or 384 bytes. Absent: the PPID is in the clear. */
  readonly encryptedPpid?: Uint8Array;
  /** 16 bytes, hex. */
  readonly cpuSvn: string;
  readonly pceSvn: number;
  /** 2 bytes as they are stored, hex. Absent: software of before 2019 does not write it. */
  readonly pceId?: string;
}

/** Reads certification data of types 1 to 3. Throws DCAP_QUOTE_MALFORMED. */
export function readPckReference(type: number, data: Uint8Array): PckReference {
  const bytes = ppidBytes.get(type) ?? 0;
  const fixed = bytes + 16 + 2;
  if (data.length !== fixed && data.length !== fixed + 2) {
    throw new FastnessError('DCAP_QUOTE_MALFORMED', `Found certification data of ${data.length} bytes, type ${type}.`);
  }
  const reader = new ByteReader(data);
  const ppid = reader.take(bytes);
  const cpuSvn = toHex(reader.take(16));
  const pceSvn = reader.u16le();
  return Object.freeze({
    ...(type === certificationTypes.ppid ? { ppid: toHex(ppid) } : { encryptedPpid: ppid }),
    cpuSvn,
    pceSvn,
    ...(reader.remaining === 0 ? {} : { pceId: toHex(reader.take(2)) }),
  });
}

/** The PCK certificate that was handed in must be the one that the quote names: this platform, at this TCB. */
export function checkPckReference(reference: PckReference | undefined, pck: PckFacts, checks: Checklist): void {
  if (reference === undefined) {
    for (const code of ['DCAP_PCK_PPID_MISMATCH', 'DCAP_PCK_TCB_MISMATCH'] as const) {
      checks.notApplicable(code, 'the quote carries a certificate, not what names one');
    }
    return;
  }
  const { ppid, cpuSvn, pceSvn, pceId } = reference;
  if (ppid === undefined) {
    checks.notApplicable(
      'DCAP_PCK_PPID_MISMATCH',
      'the PPID is encrypted; the signature of the PCK ties it to the quote',
    );
  } else {
    checks.require('DCAP_PCK_PPID_MISMATCH', ppid === pck.ppid, { expected: ppid, actual: pck.ppid });
  }
  const same = cpuSvn === pck.cpuSvn && pceSvn === pck.pceSvn && (pceId === undefined || pceId === pck.pceId);
  checks.require('DCAP_PCK_TCB_MISMATCH', same, {
    expected: `CPUSVN ${cpuSvn}, PCE ${pceSvn}${pceId === undefined ? '' : ` of id ${pceId}`}`,
    actual: `CPUSVN ${pck.cpuSvn}, PCE ${pck.pceSvn} of id ${pck.pceId}`,
  });
}

/** For people: the types that are read. */
export const readTypes: string = anyOf(Object.values(certificationTypes));
